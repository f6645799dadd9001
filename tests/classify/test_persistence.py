"""A model folder that is damaged, incomplete or newer is refused with its reason; nothing in it runs."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import elman
from elman.classify import load, report
from elman.cli._app import run
from elman.errors import ModelFolderError
from elman.training import write_tensors


@pytest.fixture
def folder(tmp_path, saved):
    target = tmp_path / "model"
    target.mkdir()
    for path in saved.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    change(target)  # without digests: what they would notice is refused for its own reason too
    return target


@pytest.fixture(scope="module")
def saved(tmp_path_factory, reviews):
    path = tmp_path_factory.mktemp("saved") / "model"
    elman.TextClassifier(embedding_dim=4, hidden_size=3, epochs=1, min_count=1).fit(*reviews).save(path)
    return path


def change(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**without_digests(path), **values}))


def without_digests(path):
    """What config.json holds for whoever changes it by hand."""
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "sha256"}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_every_file_is_needed_whole(folder, name):
    content = (folder / name).read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"\x80\x04 not what it was"):
        (folder / name).write_bytes(damaged)
        with pytest.raises(ModelFolderError, match="damaged"):
            load(folder)
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=f"missing {name}"):
        load(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 99, "elman": "7.0"}, "format 99, written by Elman 7.0; .*upgrade"),
        ({"kind": "image-classifier"}, "expected a text-classifier, got a image-classifier"),
        ({"classes": ["a", "b", "c"]}, "damaged"),
        ({"config": {"hidden_size": 5}}, "damaged"),
        ({"config": {"hidden_sise": 5}}, "damaged .*did you mean 'hidden_size'"),
        ({"scales": ["x", 1]}, "damaged"),
        ({"scales": []}, "damaged"),
        ({"scales": [1]}, "expected the weights of two scores, got .1.0."),
        ({"scales": [1, float("nan")]}, "expected the weights of two scores, got .1.0, nan."),
        ({"tokenizer": None}, "damaged|tokenizer"),
    ],
    ids=str,
)
def test_a_config_that_does_not_fit(folder, values, message):
    change(folder, **values)
    with pytest.raises(ModelFolderError, match=message):
        load(folder)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("network.embedding.weight", lambda weight: weight.sum()),
        ("network.output.weight", lambda weight: weight[:, 1:]),
        ("ngrams.keys", lambda keys: keys[1:]),
        ("ngrams.keys", lambda keys: keys.flip(0)),
        ("ngrams.weight", lambda weight: weight[1:]),
        ("ngrams.weight", lambda weight: weight.flatten()),
        ("ngrams.ratio", lambda ratio: ratio.flatten()),
        ("ngrams.ratio", lambda ratio: ratio.double()),
        ("ngrams.ratio", lambda ratio: ratio * float("nan")),
        ("ngrams.bias", lambda bias: bias.repeat(2)),
        ("ngrams.bias", lambda bias: bias[1:]),
        ("network.output.bias", lambda bias: bias * float("inf")),
    ],
)
def test_weights_that_do_not_fit(folder, name, change):
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, name: change(tensors[name]).contiguous()}, folder / "model.safetensors")
    with pytest.raises(ModelFolderError, match="damaged"):
        load(folder)


def test_ngrams_that_are_gone(tmp_path, reviews):
    settings = {"embedding_dim": 4, "hidden_size": 3, "epochs": 1, "min_count": 1, "ngram_features": False}
    elman.TextClassifier(**settings).fit(*reviews).save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    left = {name: tensor for name, tensor in tensors.items() if not name.startswith("ngrams.")}
    save_file(left, tmp_path / "model.safetensors")
    change(tmp_path)
    with pytest.raises(
        ModelFolderError, match=r"ngrams.keys: expected I64 \[1\], got no such tensor; 4 tensors differ"
    ):
        load(tmp_path)


@pytest.mark.parametrize("change", [{"[UNK]": 7}, {"[PAD]": 10**10}, {"great": 10**6}], ids=str)
def test_a_tokenizer_whose_ids_do_not_fit(folder, change):
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"] |= change
    for token in tokenizer["added_tokens"]:
        token["id"] = change.get(token["content"], token["id"])
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(ModelFolderError):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "report.json"])
@pytest.mark.parametrize("content", ["[" * 100_000, "5", "{}", "[1]", "null", '{"history": 3}'])
def test_json_of_another_shape(folder, name, content):
    (folder / name).write_text(content)
    with pytest.raises(ModelFolderError):
        load(folder) if name == "config.json" else report(folder)


def test_there_is_no_folder(tmp_path):
    with pytest.raises(ModelFolderError, match="no such model folder"):
        load(tmp_path / "none")


def test_saving_again_replaces_the_model(folder, reviews):
    model = elman.TextClassifier(embedding_dim=4, hidden_size=3, epochs=1, min_count=1, seed=4).fit(*reviews)
    model.save(folder)
    assert (elman.TextClassifier.load(folder).predict_proba(["great"]) == model.predict_proba(["great"])).all()


def test_loading_draws_nothing(folder):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    load(folder)
    assert torch.equal(torch.get_rng_state(), before)


def flips(content, step):
    """The content with one bit flipped, at every so many bytes."""
    for place in range(0, len(content), step):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place // step) % 8
        yield place, bytes(damaged)


@pytest.mark.parametrize(
    ("name", "step"), [("config.json", 7), ("tokenizer.json", 41), ("model.safetensors", 61)], ids=str
)
def test_a_flipped_bit_is_noticed_or_has_no_effect(saved, tmp_path, name, step):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in saved.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = (folder / name).read_bytes()
    texts = ["great word1 word2", "awful", "word3 lovely [UNK]"]
    expected = load(folder).probabilities(texts)
    refused = 0
    for place, damaged in flips(content, step):
        (folder / name).write_bytes(damaged)
        try:
            found = load(folder).probabilities(texts)
        except ModelFolderError as error:
            assert str(folder) in str(error) and "\n" not in str(error)
            refused += 1
        else:
            assert (found == expected).all(), place
    assert refused > 0.8 * len(range(0, len(content), step))


def test_files_of_another_model_are_not_mixed_in(saved, folder):
    """A tokenizer of as many words would answer otherwise, and so would weights of the same layers."""
    for path in saved.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    words = folder / "tokenizer.json"
    words.write_text(words.read_text().replace("great", "taerg"))
    with pytest.raises(ModelFolderError, match=r"tokenizer\.json holds something else than what was written"):
        load(folder)
    words.write_bytes((saved / "tokenizer.json").read_bytes())
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    write_tensors(weights, {name: tensor.clone() for name, tensor in tensors.items()}, {"elman": "0.1.0"})
    load(folder)
    tensors["network.output.bias"] += 1
    for metadata in (None, {"elman": "0.1.0"}):
        if metadata is None:
            save_file(tensors, weights)
        else:
            write_tensors(weights, tensors, metadata)
        with pytest.raises(ModelFolderError, match=r"model\.safetensors holds something else"):
            load(folder)


@pytest.mark.parametrize("aside", [".before", ".before.new", ".before/.before"])
def test_what_a_run_without_a_model_has_set_aside_answers(saved, tmp_path, aside, capsys):
    (tmp_path / aside).mkdir(parents=True)
    for path in saved.iterdir():
        (tmp_path / aside / path.name).write_bytes(path.read_bytes())
    (tmp_path / "config.toml").write_text("# A run of Elman\n")
    texts = ["great", "awful"]
    assert (load(tmp_path).probabilities(texts) == load(saved).probabilities(texts)).all()
    assert run(["summary", str(tmp_path)]) == 0
    assert "Embedding" in capsys.readouterr().out
