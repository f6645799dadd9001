"""elman fill, and elman report and summary on the run of a language model."""

import json

import pytest

from cli.test_commands import refused, run

SMALL = ["--embedding-dim", 8, "--hidden-size", 8, "--num-layers", 1, "--batch-size", 4, "--bptt", 10, "--epochs", 2]
TEXT = "the film was ___ from start"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    (folder / "a.txt").write_text("the film was good from start to end\nit was a bad film and dull\n" * 40)
    done = run(
        "pretrain", folder / "a.txt", "--out", folder / "run", "--objective", "fill", "--documents", "line",
        "--min-count", 1, "--validation", folder / "a.txt", *SMALL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"report: {folder / 'run' / 'report.html'}" in done.stdout
    assert "validation pseudo-perplexity" in done.stdout
    return folder / "run"


def test_a_table_or_json_of_a_text(model):
    table = run("fill", model, TEXT, "--top", 3).stdout
    found = json.loads(run("fill", model, TEXT, "--top", 3, "--json").stdout)
    assert found["text"] == TEXT and found["sides"] == "from both sides" and "predicted from both sides" in table
    [words] = found["blanks"]
    assert len(words) == 3 and f"was [{words[0]['word']}] from" in table and table.count("█") > 30
    for row in words:
        assert f"{row['word']} " in table and f"{row['probability']:.4f}" in table


def test_files_and_standard_input_give_an_object_a_line(model, tmp_path):
    texts = [TEXT, "___ was a ___ film"]
    (tmp_path / "a.txt").write_text("\n".join(texts) + "\n")
    done = run("fill", model, tmp_path / "a.txt")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows] == texts and [len(row["blanks"]) for row in rows] == [1, 2]
    assert run("fill", model, "-", input="\n".join(texts)).stdout == done.stdout
    assert done.stdout.splitlines()[0] == run("fill", model, TEXT, "--json").stdout.strip()


def test_how_often_the_words_are_found(model):
    text = model.parent / "a.txt"
    found = json.loads(run("fill", model, "--evaluate", text, "--json").stdout)
    assert found["words"] == 40 * 15 and 0 < found["top_1"] <= found["top_5"] <= 1
    shown = run("fill", model, "--evaluate", text).stdout
    assert f"top-1 accuracy {found['top_1']:.4f}, top-5 {found['top_5']:.4f} on 600 words" in shown


def test_mistakes_are_named(model, tmp_path):
    refused(run("fill", model, "no such thing"), 2, "a text with a blank ___ in it, - or a file, got 'no such thing'")
    refused(run("fill", model, "no blank"), 2, "a blank ___ in it, - or a file, got 'no blank'")
    refused(run("fill", model), 2, "a text to fill in or --evaluate FILE, got neither")
    refused(run("fill", model, TEXT, "--evaluate", model.parent / "a.txt"), 2, "got both")
    refused(run("fill", tmp_path, TEXT), 1, "not a complete model")


def test_summary_and_report_know_a_language_model(model):
    table = run("summary", model).stdout
    data = json.loads((model / "report.json").read_text())
    assert "LSTM ←" in table and "Softmax (tied)" in table and f"{data['parameters']:,}" in table
    assert sum(row["parameters"] for row in data["layers"]) == data["parameters"]
    before = (model / "report.html").read_bytes()
    (model / "report.html").unlink()
    assert run("report", model).returncode == 0
    assert (model / "report.html").read_bytes() == before and b"What surprises it" in before


def test_a_text_may_be_longer_than_the_name_of_a_file(model):
    text = "电影___很好" * 100
    assert json.loads(run("fill", model, text, "--json").stdout)["text"] == text


def test_lines_without_a_blank_have_a_row_of_their_own(model, tmp_path):
    lines = [TEXT, "", "no blank here", "it was a ___ film"]
    (tmp_path / "a___b.txt").write_text("\n".join(lines) + "\n")  # a file, whatever its name
    rows = [json.loads(line) for line in run("fill", model, tmp_path / "a___b.txt").stdout.splitlines()]
    assert [row["text"] for row in rows] == lines and [len(row["blanks"]) for row in rows] == [1, 0, 0, 1]
