"""A saved model that does not fit its settings is refused before a network is built, with the tensor and its sizes."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import elman
from elman import classify, language
from elman.errors import ModelFolderError
from elman.nn import LanguageModel, TextRNN

TEXTS, LABELS = ["good film", "bad film", "a good one", "a bad one"] * 4, ["good", "bad"] * 8
KINDS = {"classifier": classify.load, "both ways": classify.load, "language": language.load, "untied": language.load}
FIRST = {"classifier": "network.embedding.weight", "both ways": "network.other.embedding.weight"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    small = {"embedding_dim": 4, "hidden_size": 3, "epochs": 1, "min_count": 1, "validation_split": 0.0}
    one_way = {"bidirectional": False, "direction": "both", "ngrams": 0}
    elman.TextClassifier(**small).fit(TEXTS, LABELS).save(folder / "classifier")
    elman.TextClassifier(**small, **one_way).fit(TEXTS, LABELS).save(folder / "both ways")
    elman.LanguageModel(**small, batch_size=2, bptt=5).fit(TEXTS).save(folder / "language")
    elman.LanguageModel(**small, batch_size=2, bptt=5, tied=False, objective="fill").fit(TEXTS).save(folder / "untied")
    return folder


@pytest.fixture(params=KINDS)
def model(request, saved, tmp_path):
    """A folder that may be damaged, and what loads it."""
    shutil.copytree(saved / request.param, tmp_path / "model")
    return tmp_path / "model", KINDS[request.param]


def change_settings(folder, **settings):
    description = json.loads((folder / "config.json").read_text())
    description["config"] |= settings
    del description["sha256"]
    (folder / "config.json").write_text(json.dumps(description))


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_size": 6000, "embedding_dim": 400_000},
        {"embedding_dim": 5},
        {"num_layers": 10**6},
        {"hidden_sizes": ",".join(["1"] * 10**4)},
        {"hidden_sizes": "1000000000"},
        {"hidden_size": 10**9, "cell": "leaky", "weight_drop": 0.0},
        {"hidden_size": 10**30, "num_layers": 2, "hidden_sizes": ""},
        {"embedding_dim": 2**40},
        {"cell": "gru"},
    ],
    ids=lambda settings: str(settings)[:40],
)
def test_settings_of_another_network_are_refused_before_one_is_built(model, settings, monkeypatch):
    folder, load = model
    change_settings(folder, **settings)
    built = []
    for kind in (TextRNN, LanguageModel):
        init = kind.__init__

        def watched(self, *args, original=init, **options):
            original(self, *args, **options)
            built.extend(parameter.device.type for parameter in self.parameters())

        monkeypatch.setattr(kind, "__init__", watched)
    with pytest.raises(ModelFolderError, match=r"model\.safetensors: damaged .*expected"):
        load(folder)
    assert set(built) <= {"meta"}


def damaged(folder, change):
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("embedding.weight") or name == "softmax.weight")
    value = tensors.pop(name)
    save_file({**tensors, **change(name, value)}, folder / "model.safetensors")
    return name, value


def test_a_wrong_tensor_is_named_with_what_was_wanted(model):
    folder, load = model
    whole = (folder / "model.safetensors").read_bytes()
    for change, message in [
        (lambda name, value: {name: value[:, 1:].contiguous()}, "{name}: expected float {shape}, got F32 [{rows}, 3])"),
        (lambda name, value: {name: value.long()}, "{name}: expected float {shape}, got I64 {shape})"),
        (lambda name, value: {}, "{name}: expected float {shape}, got no such tensor)"),
        (
            lambda name, value: {name: value, "more": value[:1].clone()},
            "more: expected no such tensor, got F32 [1, 4])",
        ),
        (lambda name, value: {name: value[1:]}, "the tokenizer has {rows} entries and the network"),
        (lambda name, value: {name: value * float("nan")}, "expected numbers in {name}, got nan or infinity)"),
    ]:
        (folder / "model.safetensors").write_bytes(whole)
        name, value = damaged(folder, change)
        with pytest.raises(ModelFolderError) as raised:
            load(folder)
        expected = message.format(name=name, shape=list(value.shape), rows=len(value))
        text = str(raised.value)
        assert expected.removesuffix(")") in text, text
        assert text.startswith(str(folder)) and "\n" not in text and text.count("damaged") == 1


def test_other_precisions_are_read(model):
    folder, load = model
    expected = [p.clone() for p in load(folder).network.parameters()]
    tensors = load_file(folder / "model.safetensors")
    double = {n: t if n.startswith("ngrams.") else t.double() for n, t in tensors.items()}
    save_file(double, folder / "model.safetensors")
    change_settings(folder)
    assert all(map(torch.equal, load(folder).network.parameters(), expected))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_what_is_no_file_is_not_readable(model, name):
    folder, load = model
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(ModelFolderError, match=f"{name}: not readable .not a file"):
        load(folder)
    (folder / name).rmdir()
    os.mkfifo(folder / name)
    with pytest.raises(ModelFolderError, match=f"{name}: not readable .not a file"):
        load(folder)
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=f"not a complete model; missing {name}"):
        load(folder)


@pytest.mark.skipif(os.name != "posix", reason="other systems have other rights")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "."])
def test_what_one_may_not_read_is_not_readable(model, name):
    folder, load = model
    for parent in list(folder.parents)[:3]:
        parent.chmod(0o755)
    (folder / name).chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(ModelFolderError, match=r"not readable \(Permission denied\)"):
            load(folder)
    finally:
        if root:
            os.seteuid(0)
        (folder / name).chmod(0o755)
