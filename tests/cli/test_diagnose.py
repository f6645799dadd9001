"""`elman diagnose` and `elman train --diagnose` as a person runs them."""

import json
import math
import shutil

import pytest

from cli.test_commands import FAST, refused, run
from conftest import make_reviews
from elman import classify
from elman.diagnostics import GATES, remedies
from elman.errors import UsageError
from elman.nn import CELLS, TextRNN

TRAIN = ["--epochs", "2", "--ngrams", "0", "--validation-split", "0.2", *FAST]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "train.jsonl"
    texts, labels = make_reviews(200)
    lines = [json.dumps({"review": t, "label": y}) for t, y in zip([*texts, ""], [*labels, "good"], strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "watched"
    done = run("train", data, "--out", folder, "--diagnose", "--tensorboard", *TRAIN)
    assert done.returncode == 0, done.stderr
    return folder, done


def read(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((folder / "diagnosis.json").read_text(), parse_constant=refuse)


def test_watching_changes_nothing_in_training(trained, data, tmp_path):
    done = run("train", data, "--out", tmp_path / "alone", *TRAIN)
    assert done.returncode == 0 and not (tmp_path / "alone/diagnosis.json").exists()
    for name in ("model.safetensors", "metrics.json"):
        assert (tmp_path / "alone" / name).read_bytes() == (trained[0] / name).read_bytes(), name


def test_training_writes_page_data_and_epochs(trained):
    folder, done = trained
    found = read(folder)
    assert [layer["name"] for layer in found["layers"]] == ["recurrent.l0", "recurrent.l0_reverse"]
    assert [row["epoch"] for row in found["training"]["epochs"]] == [0, 1, 2]
    assert all(len(row["memory"]) == 2 for row in found["training"]["epochs"])
    assert found["training"]["epochs"][0]["clipped"] is None and 0 <= found["training"]["epochs"][1]["clipped"] <= 1
    assert f"{found['verdict']['kind']}: {found['verdict']['reason']}" in done.stdout
    assert str(folder / "diagnosis.html") in done.stdout
    assert any((folder / "tensorboard").iterdir())


def test_the_board_has_the_figures(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(trained[0] / "tensorboard"))
    board.Reload()
    steps = [event.step for event in board.Scalars("diagnosis/recurrent.l0/memory")]
    assert steps[:3] == [0, 1, 2] and max(steps) == 2  # the diagnosis at the end is the last epoch's
    assert "recurrent.l0/jacobian" in board.Tags()["images"]


def test_the_page_needs_nothing_else(trained):
    page = (trained[0] / "diagnosis.html").read_text()
    found = read(trained[0])
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page.count("data:image/png;base64,") == 2 * 7 + 1
    assert found["verdict"]["reason"] in page and "loss of its own" in page  # mean pooling
    for remedy in found["remedies"]:
        assert f"<code>{remedy['flag']}</code>" in page
    for example in found["examples"]:
        assert len(example["tokens"]) == len(found["layers"][0]["heat"][found["examples"].index(example)])
        assert f">{example['tokens'][0]}</span>" in page


def test_all_texts_of_the_sample_are_followed_back(trained, data, tmp_path):
    assert run("diagnose", trained[0], data, "--out", tmp_path, "--sample", 200).returncode == 0
    (layer, *_) = read(tmp_path)["layers"]
    assert layer["jacobian"]["log_gain"]["texts"][0] == layer["gradient"]["dh"]["texts"][0] == 200


def test_a_trained_run_is_diagnosed(trained, data, tmp_path):
    done = run("diagnose", trained[0], data, "--out", tmp_path / "d", "--sample", 7, "--exact", "--tensorboard")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"diagnosis.json", "diagnosis.html", "tensorboard"}
    found = read(tmp_path / "d")
    for layer in found["layers"]:
        assert layer["jacobian"]["exact"] and len(layer["lengths"]) == 7 and min(layer["lengths"]) >= 1
        assert layer["name"] in done.stdout and layer["verdict"]["kind"] in done.stdout
        gain = layer["jacobian"]["log_gain"]["median"]
        assert gain[0] == 0 and math.isfinite(gain[-1])
    assert found["training"]["epochs"][-1]["gradient_norm"] > 0
    assert run("diagnose", trained[0], data, "--out", tmp_path / "e", "--sample", 7, "--exact").returncode == 0
    assert (tmp_path / "e/diagnosis.json").read_bytes() == (tmp_path / "d/diagnosis.json").read_bytes()


def test_what_cannot_be_diagnosed(trained, data, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"review": "", "label": "good"}\n{"review": " ", "label": "bad"}\n')
    refused(run("diagnose", trained[0], empty), 1, "at least one text with a token", "got 0")
    refused(run("diagnose", tmp_path / "nowhere", data), 1, "no such model folder")
    refused(run("diagnose", trained[0], data, "--sample", 0), 2, "--sample")
    empty.touch()
    refused(run("diagnose", trained[0], data, "--out", empty), 1, "empty.jsonl: cannot be written")
    damaged = tmp_path / "damaged"
    shutil.copytree(trained[0], damaged)
    (damaged / "history.csv").write_text("epoch,loss\n1,x\n")
    refused(run("diagnose", damaged, data), 1, "history.csv: damaged: expected one line an epoch")


OPTIONS = [
    {},
    {"information_flow": 1.0},
    {"zoneout": 0.1},
    {"zoneout_cell": 0.1},
    {"weight_drop": 0.2},
    {"recurrent_dropout": 0.2},
    {"input_dropout": 0.2},
    {"bptt_truncate": 3},
    {"bptt_truncate": 30},
    {"clip_recurrent": 0.1},
    {"leak": "0.5"},
    {"leak": "learned", "init": "chrono"},
    {"init": "identity"},
    {"init": "orthogonal"},
    {"init": "recurrent_range"},
    {"init": "forget_bias"},
    {"proj_size": 2, "hidden_size": 4},
    {"residual": True, "num_layers": 2},
    {"learn_state": True},
    {"nonlinearity": "relu"},
]


def test_a_cell_that_is_not_recorded_is_refused_before_anything_is_read(tmp_path):
    refused(
        run("train", tmp_path / "none.csv", "--out", tmp_path / "r", "--diagnose", "--cell", "scrn"), 2, "scrn is not"
    )


@pytest.mark.parametrize("kind", ["vanishing", "exploding", "saturated"])
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell not in ("scrn",)])
def test_every_remedy_is_a_setting_that_the_classifier_takes(cell, kind):
    """What is advised for a cell can be set beside it, and a network of it can be built."""
    layer = TextRNN(9, 2, embedding_dim=4, hidden_size=4, cell=cell).recurrent
    tried = 0
    for option in OPTIONS:
        in_use = {"cell": cell, **option}
        try:
            classify.model.build_network(classify.resolve(**in_use), 9, 2)
        except UsageError:
            continue  # this cell has no such option
        tried += 1
        for remedy in remedies(kind, layer.cell, memory=5, length=40, gradient_norm=2.0, settings=in_use):
            network = classify.model.build_network(classify.resolve(**{**in_use, **remedy.settings}), 9, 2)
            assert network.recurrent_layers[0].cell in GATES
    assert tried > 3
