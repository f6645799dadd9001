"""`elman perplexity` and `elman generate` on a small model."""

import json

import pytest
import torch

from elman.cli._app import run
from elman.language import Cache, Dynamic, Sampling, TrainedLanguageModel, generate, perplexity, resolve, save
from elman.language.model import build_network
from elman.text import TextTokenizer

TEXT = "the cat sat\nthe dog ran\n\na cat ran\nit sat\n"


def model(folder, **settings):
    config = resolve(embedding_dim=6, hidden_size=5, num_layers=1, **settings)
    tokenizer = TextTokenizer.fit(TEXT.splitlines(), generative=True)
    torch.manual_seed(0)
    save(TrainedLanguageModel(config, tokenizer, build_network(config, tokenizer.vocab_size)), folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    (folder / "a.txt").write_text(TEXT)
    for name, settings in (("forward", {}), ("backward", {"direction": "backward"}), ("fill", {"objective": "fill"})):
        model(folder / name, **settings)
    return folder


def printed(capsys, *arguments):
    assert run([str(argument) for argument in arguments]) == 0
    return capsys.readouterr()


def refused(capsys, code, said, *arguments):
    assert run([str(argument) for argument in arguments]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["forward", "fill"])
def test_perplexity(folder, capsys, name):
    expected = perplexity(folder / name, [folder / "a.txt"])
    line = printed(capsys, "perplexity", folder / name, folder / "a.txt").out.splitlines()[0]
    measure = {"forward": "perplexity", "fill": "pseudo-perplexity"}[name]
    assert line == f"{measure} {expected.perplexity:.2f} on 15 tokens in 1 documents"


def test_perplexity_as_json_with_every_option(folder, capsys, tmp_path):
    how = ["--cache", 4, "--cache-weight", 0.2, "--cache-flatness", 0.6, "--dynamic", 0.1, "--decay", 0.05]
    rest = ["--steps", 3, "--documents", "blank", "--out", tmp_path / "scores.jsonl", "--json"]
    text = printed(capsys, "perplexity", folder / "forward", folder / "a.txt", *how, *rest).out
    figures, (cache, dynamic) = json.loads(text), (Cache(4, 0.2, 0.6), Dynamic(0.1, 0.05, 3))
    expected = perplexity(
        folder / "forward", [folder / "a.txt"], documents="blank", cache=cache, dynamic=dynamic
    ).figures()
    assert {**figures, "seconds": 0} == {**expected, "seconds": 0}
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [row["begins"] for row in rows] == ["the cat sat the dog ran\n", "a cat ran it sat\n"]


def test_perplexity_refusals(folder, capsys):
    command = ["perplexity", folder / "forward"]
    refused(capsys, 1, "no such file", *command, folder / "b.txt")
    refused(
        capsys,
        2,
        "documents must be one of auto, file, line, blank, got 'page'",
        *command,
        folder / "a.txt",
        "--documents",
        "page",
    )
    refused(capsys, 2, "weight of the cache", *command, folder / "a.txt", "--cache", 3, "--cache-weight", 1)
    refused(capsys, 2, "got one of fill", "perplexity", folder / "fill", folder / "a.txt", "--cache", 3)
    refused(capsys, 1, "no such model folder", "perplexity", folder / "none", folder / "a.txt")
    refused(capsys, 1, "cannot be written", *command, folder / "a.txt", "--out", folder / "no" / "scores.jsonl")


@pytest.mark.parametrize("source", ["a.txt", "."])
@pytest.mark.parametrize("out", ["a.txt", "sub/../a.txt", "link.txt"])
def test_what_is_read_is_not_written_over(folder, capsys, tmp_path, source, out):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    command = ["perplexity", folder / "forward", tmp_path / source, "--out"]
    refused(capsys, 2, "expected another file to write to than those that are read", *command, tmp_path / out)
    assert (tmp_path / "a.txt").read_text() == TEXT
    for _ in range(2):  # what it has written before is no text
        printed(capsys, *command, tmp_path / "sub" / "scores.out")


@pytest.mark.parametrize("name", ["forward", "backward"])
def test_generate(folder, capsys, name):
    from elman.language import load

    options = ["--temperature", 0.9, "--top-k", 9, "--top-p", 0.95, "--seed", 4, "--length", 6, "--samples", 2]
    done = printed(capsys, "generate", folder / name, "--prompt", "the zebra", *options)
    sampling = Sampling(0.9, 9, 0.95, 4, 6)
    texts = [generate(load(folder / name), "the zebra", sampling, number) for number in range(2)]
    assert done.out == f"{texts[0]}\n\n{texts[1]}\n"
    assert "1 of 2 tokens of the prompt are unknown to the model" in done.err


def test_generate_refusals(folder, capsys):
    refused(capsys, 2, "got one of fill", "generate", folder / "fill")
    refused(capsys, 2, "temperature must be at least 0, got -1", "generate", folder / "forward", "--temperature", -1)
    refused(capsys, 2, "top_p must be above 0 and at most 1", "generate", folder / "forward", "--top-p", 0)
    refused(capsys, 2, "samples", "generate", folder / "forward", "--samples", 0)


@pytest.mark.parametrize(
    ("option", "value", "of"),
    [
        ("--steps", 0, "dynamic"),
        ("--decay", 0.5, "dynamic"),
        ("--cache-weight", 0.5, "cache"),
        ("--cache-flatness", 1, "cache"),
    ],
)
def test_settings_of_what_was_not_asked_for_are_refused(folder, capsys, option, value, of):
    refused(capsys, 2, f"{option} is of --{of}", "perplexity", folder / "forward", folder / "a.txt", option, value)


def test_json_has_no_infinity(folder, capsys, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT * 10)
    loud = ["--optimizer", "sgd", "--learning-rate", 1e8, "--clip-norm", 0, "--min-count", 1, "--epochs", 1]
    size = ["--embedding-dim", 6, "--hidden-size", 5, "--out", tmp_path / "lm"]
    assert "perplexity inf" in printed(capsys, "pretrain", tmp_path / "a.txt", *loud, *size).out
    rows = ["--out", tmp_path / "rows.jsonl", "--json"]
    figures = printed(capsys, "perplexity", tmp_path / "lm", folder / "a.txt", *rows).out
    for text in (figures, *((tmp_path / name).read_text() for name in ("rows.jsonl", "lm/report.json"))):
        json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert json.loads(figures)["perplexity"] is None
    assert json.loads((tmp_path / "rows.jsonl").read_text())["perplexity"] is None
    assert json.loads((tmp_path / "lm" / "metrics.json").read_text())["validation"]["perplexity"] is None
    page = (tmp_path / "lm" / "report.html").read_text()
    printed(capsys, "report", tmp_path / "lm")
    assert (tmp_path / "lm" / "report.html").read_text() == page


def test_a_source_without_a_name_is_refused(folder, capsys):
    refused(capsys, 1, "got an empty one", "perplexity", folder / "forward", "")


def test_a_full_softmax_has_no_cutoffs(folder, capsys):
    refused(
        capsys,
        2,
        "cutoffs are of an adaptive softmax",
        "pretrain",
        folder / "a.txt",
        "--softmax",
        "full",
        "--cutoffs",
        4,
    )
