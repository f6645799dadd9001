"""What a person can get wrong: one line on stderr, exit code 2 for usage and 1 for the rest, nothing lost."""

import pytest

from conftest import make_reviews
from elman import __version__
from elman.cli._app import run


@pytest.fixture
def csv_file(tmp_path):
    texts, labels = make_reviews(40)
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    return path


def refused(capsys, arguments, code, *parts):
    assert run([str(a) for a in arguments]) == code
    """What was read before may be said; the error is one line, the last."""
    said = capsys.readouterr().err.splitlines()
    errors = [line for line in said if line.startswith("elman: ")]
    assert errors == said[-1:] and "Traceback" not in "".join(said)
    for part in parts:
        assert part in errors[0]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["trian"], ["trian"]),
        (["train"], ["data"]),
        (["train", "imdb", "--epochs", "many"], ["--epochs", "valid integer"]),
        (["train", "imdb", "--speed", "9"], ["--speed"]),
        (["train", "imdb", "--preset", "lstmm"], ["unknown preset 'lstmm'", "simple-rnn"]),
        (["train", "imdb", "--cell", "lstn"], ["cell must be one of rnn, lstm, gru, ", "got 'lstn'"]),
        (["train", "imdb", "--dropout", "1.5"], ["dropout must be at least 0 and below 1, got 1.5"]),
        (["train", "imdb", "--no-tune-vectors"], ["tune_vectors off is for word vectors from a file"]),
        (["compare", "imdb", "--presets", ","], ["--presets names no preset"]),
    ],
    ids=" ".join,
)
def test_usage_errors_exit_2(capsys, arguments, parts):
    refused(capsys, arguments, 2, *parts)


def test_configuration_files(capsys, tmp_path, csv_file):
    path = tmp_path / "a.toml"
    path.write_text("hiden_size = 3\n")
    refused(
        capsys, ["train", csv_file, "--config", path], 2, "unknown setting 'hiden_size'; did you mean 'hidden_size'"
    )
    path.write_text("hidden_size = ")
    refused(capsys, ["train", csv_file, "--config", path], 2, "not a TOML file")
    refused(capsys, ["train", csv_file, "--config", tmp_path / "none.toml"], 1, "none.toml: cannot be read")


def test_data_errors_exit_1(capsys, tmp_path, csv_file):
    out = ["--out", tmp_path / "run"]
    refused(capsys, ["train", "nothing.csv", *out], 1, "nothing.csv: no such file", "imdb")
    refused(capsys, ["train", csv_file, "--text-column", "body", *out], 1, "columns found are: text, label")
    (tmp_path / "one.csv").write_text("text,label\na,1\nb,1\n")
    refused(capsys, ["train", tmp_path / "one.csv", *out], 1, "two classes are needed, got only ['1']")
    (tmp_path / "few.csv").write_text("text,label\na,1\nb,2\n")
    refused(capsys, ["train", tmp_path / "few.csv", *out], 1, "takes no row out of 2")
    (tmp_path / "test.csv").write_text("text,label\na,good\nb,ugly\n")
    refused(
        capsys, ["train", csv_file, "--test", tmp_path / "test.csv", *out], 1, "row 2: the label 'ugly'", "bad, good"
    )
    assert not (tmp_path / "run").exists()


def test_word_vectors_that_cannot_be_used(capsys, tmp_path, csv_file):
    out = ["--out", tmp_path / "run"]
    vectors = tmp_path / "v.txt"
    refused(capsys, ["train", csv_file, "--vectors", vectors, *out], 1, "v.txt: no such file")
    vectors.write_text("great 1 2 3\n")
    wide = ["--vectors", vectors, "--embedding-dim", "4"]
    refused(capsys, ["train", csv_file, *wide, *out], 2, "embedding_dim is 4", "v.txt are 3 wide")
    vectors.write_text("")
    refused(capsys, ["train", csv_file, "--vectors", vectors, *out], 1, "v.txt: the file is empty")
    assert not (tmp_path / "run").exists()
    vectors.write_text("word1 1 2 3\ngreat 1 2\n")
    refused(capsys, ["train", csv_file, "--vectors", vectors, *out], 1, "v.txt, line 2: expected a word and 3 numbers")


def test_a_folder_that_is_no_run_is_never_replaced(capsys, tmp_path, csv_file):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refused(capsys, ["train", csv_file, "--out", tmp_path / "mine"], 1, "the folder exists")
    refused(capsys, ["train", csv_file, "--out", tmp_path / "mine", "--overwrite"], 1, "not a run of Elman")
    refused(capsys, ["train", csv_file, "--out", csv_file, "--overwrite"], 1, "not a folder")
    refused(capsys, ["train", csv_file, "--out", tmp_path / "mine", "--resume"], 1, "not a run of Elman")
    (tmp_path / "mine" / "config.toml").write_text("title = 'another program'")
    refused(capsys, ["pretrain", csv_file, "--out", tmp_path / "mine", "--resume"], 1, "not a run of Elman")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("command", ["summary", "predict", "report"])
def test_there_is_no_run(capsys, tmp_path, command):
    refused(capsys, [command, tmp_path / "none"], 1, "none")


def test_debug_shows_the_traceback():
    with pytest.raises(Exception, match="no such file"):
        run(["train", "nothing.csv", "--debug"])


def test_version_and_help(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"elman {__version__}"
    assert run(["train", "--help"]) == 0
    assert "--hidden-size" in capsys.readouterr().out
