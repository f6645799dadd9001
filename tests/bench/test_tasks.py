"""The laws of the generators: answers follow from the inputs, every class is as likely, a seed says all."""

import math

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import Generator
from torch.nn.utils.rnn import pad_packed_sequence

from elman.bench import TASKS
from elman.bench._task import between, bounds
from elman.errors import DataError, UsageError

GENERATED = ["temporal-order", "adding", "copy", "memorization"]


def draw(name, length=100, size=4000, seed=0):
    return TASKS[name](None).draw(length, size, Generator().manual_seed(seed))


@pytest.mark.parametrize("name", GENERATED)
def test_a_seed_repeats_and_another_differs(name):
    first, again, other = (draw(name, 20, 5, seed) for seed in (3, 3, 4))
    assert torch.equal(first.inputs, again.inputs) and torch.equal(first.targets, again.targets)
    assert not torch.equal(first.inputs, other.inputs)


@pytest.mark.parametrize("length", [10, 57, 100])
def test_temporal_order(length):
    batch = draw("temporal-order", length)
    assert batch.inputs.shape == (length, 4000, 6)
    assert torch.equal(batch.inputs.sum(2), torch.ones(length, 4000))
    symbols = batch.inputs.argmax(2)
    tenths = set()
    for row, answer in zip(symbols.T.tolist(), batch.targets.tolist(), strict=True):
        first, second = [place for place, symbol in enumerate(row) if symbol < 2]
        assert length // 10 <= first < length // 10 + length // 10
        assert 4 * length // 10 <= second < 4 * length // 10 + length // 10
        assert answer == 2 * row[first] + row[second]
        tenths |= {first, second}
    assert len(tenths) == 2 * (length // 10)  # every allowed place is used
    assert torch.bincount(batch.targets, minlength=4).float().div(4000).sub(0.25).abs().max() < 0.03
    distractors = torch.bincount(symbols.flatten(), minlength=6)[2:].float()
    assert distractors.div(distractors.sum()).sub(0.25).abs().max() < 0.03


@pytest.mark.parametrize("length", [10, 57])
def test_adding(length):
    batch = draw("adding", length)
    numbers, marks = batch.inputs.unbind(2)
    assert set(marks.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(marks[: length // 2].sum(0), torch.ones(4000))
    assert torch.equal(marks[length // 2 :].sum(0), torch.ones(4000))
    assert marks.sum(1).min() > 0  # every place is used
    torch.testing.assert_close(batch.targets, numbers[marks.T.nonzero()[:, 1].view(4000, 2).T, range(4000)].sum(0))
    assert abs(batch.targets.var().item() - 1 / 6) < 0.01


@pytest.mark.parametrize(("name", "kinds"), [("copy", 8), ("memorization", 5)])
def test_copy_and_memorization(name, kinds):
    batch = draw(name, 30, 500)
    symbols = batch.inputs.argmax(2)
    assert batch.inputs.shape == (50, 500, kinds + 2) and batch.targets.shape == (50, 500)
    assert torch.equal(batch.targets[-10:], symbols[:10])
    assert (batch.targets[:-10] == kinds).all()
    assert (symbols[10:39] == kinds).all() and (symbols[39] == kinds + 1).all() and (symbols[40:] == kinds).all()
    shares = torch.bincount(symbols[:10].flatten(), minlength=kinds + 2)[:kinds].float() / 5000
    assert shares.sub(1 / kinds).abs().max() < 0.03


def test_the_figures_count_what_they_say():
    """One wrong symbol in one of 40 sequences: a 400th of copy's symbols, a 40th of memorization's sequences."""
    for name, expected in (("copy", 1 / 400), ("memorization", 1 / 40)):
        task = TASKS[name](None)
        batch = task.draw(20, 40, Generator().manual_seed(0))
        scores = torch.nn.functional.one_hot(batch.targets, task.output_size).float()
        assert task.error(scores, batch)[0] == 0
        scores[-3, 7] = scores[-3, 7].roll(1)
        total, count = task.error(scores, batch)
        assert total / count == expected
        scores[0] = scores[0].roll(1, -1)  # a wrong answer before the signal: a mistake for memorization only
        total, count = task.error(scores, batch)
        assert total / count == (expected if name == "copy" else 1)


@pytest.mark.parametrize("name", GENERATED)
def test_guessing_costs_what_the_task_says(name):
    """The best constant answer; for the figures that count symbols, one of the symbols."""
    task = TASKS[name](None)
    batch = draw(name)
    scores = torch.zeros(*batch.targets.shape, task.output_size)
    if name == "adding":
        scores += 1
    elif name == "memorization":
        scores[:-10, :, -1] = scores[-10:, :, 0] = 1
    total, count = task.error(scores, batch)
    assert total / count == pytest.approx(task.guess, abs=0.03)


def test_losses_against_plain_formulas():
    order, adding = TASKS["temporal-order"](None), TASKS["adding"](None)
    batch = order.draw(20, 6, Generator().manual_seed(0))
    scores = torch.randn(6, 4, generator=Generator().manual_seed(1))
    shares = [math.exp(s[t]) / sum(map(math.exp, s)) for s, t in zip(scores.tolist(), batch.targets, strict=True)]
    assert order.loss(scores, batch).item() == pytest.approx(-sum(map(math.log, shares)) / 6, rel=1e-5)
    batch = adding.draw(20, 6, Generator().manual_seed(0))
    squares = [(s - t) ** 2 for s, t in zip(scores[:, 0].tolist(), batch.targets.tolist(), strict=True)]
    assert adding.loss(scores[:, :1], batch).item() == pytest.approx(sum(squares) / 6, rel=1e-5)
    assert adding.error(scores[:, :1], batch) == pytest.approx((sum(squares), 6), rel=1e-5)


def test_held_out_sequences_are_fresh_and_as_many_as_said():
    task, random = TASKS["temporal-order"](None), Generator().manual_seed(0)
    for split, rows in (("validation", 1000), ("test", 10_000)):
        batches = list(task.held_out(split, (10, 20), random))
        assert sum(len(batch.targets) for batch in batches) == rows
        assert len({len(batch.inputs) for batch in batches}) > 3
        assert not torch.equal(batches[0].targets, batches[1].targets)


def test_lengths():
    assert bounds("100") == (100, 100) and bounds("50-200") == (50, 200) and bounds("data") == (0, 0)
    random = Generator().manual_seed(0)
    assert {between((3, 5), random) for _ in range(100)} == {3, 4, 5}


def test_digits():
    """The splits share no image, permuting moves the same pixels in all of them, and every class is everywhere."""
    plain, permuted = TASKS["digits"](None), TASKS["permuted-digits"](None)
    seen = {}
    for split, rows in (("validation", 360), ("test", 360)):
        (batch,), (other,) = (list(task.held_out(split, (0, 0), Generator())) for task in (plain, permuted))
        assert batch.inputs.shape == (64, rows, 1) and 0 <= batch.inputs.min() < batch.inputs.max() <= 1
        assert torch.equal(batch.targets, other.targets) and not torch.equal(batch.inputs, other.inputs)
        assert torch.equal(batch.inputs.sort(0).values, other.inputs.sort(0).values)
        assert torch.bincount(batch.targets).min() > 30
        seen[split] = {image.numpy().tobytes() for image in batch.inputs[:, :, 0].T.contiguous()}
    drawn = plain.draw(0, 2000, Generator().manual_seed(0)).inputs[:, :, 0].T.contiguous()
    train = {image.numpy().tobytes() for image in drawn}
    assert not seen["validation"] & seen["test"] and not train & (seen["validation"] | seen["test"])


@pytest.fixture
def songs(tmp_path):
    random = np.random.default_rng(0)
    splits = {}
    for key, lengths in (("traindata", (5, 9, 3)), ("validdata", (4, 6)), ("testdata", (7, 2, 8))):
        splits[key] = np.empty((1, len(lengths)), dtype=object)
        for place, length in enumerate(lengths):
            splits[key][0, place] = (random.random((length, 88)) < 0.1).astype(float)
    savemat(tmp_path / "JSB_Chorales.mat", splits)
    return tmp_path, splits


def test_music_hears_the_step_before(songs):
    folder, splits = songs
    (batch,) = TASKS["jsb"](folder).held_out("test", (0, 0), Generator())
    inputs, lengths = pad_packed_sequence(batch.inputs)
    targets, _ = pad_packed_sequence(batch.inputs._replace(data=batch.targets))
    assert lengths.tolist() == [7, 2, 8]
    for place, song in enumerate(splits["testdata"][0]):
        assert (targets[: len(song), place].numpy() == song).all()
        assert (inputs[1 : len(song), place].numpy() == song[:-1]).all() and not inputs[0, place].any()


def test_music_loss_against_a_plain_formula(songs):
    """-sum over 88 notes of v ln p + (1 - v) ln(1 - p), mean over all steps (Boulanger-Lewandowski et al. 2012)."""
    folder, splits = songs
    task = TASKS["jsb"](folder)
    (batch,) = task.held_out("test", (0, 0), Generator())
    scores = torch.randn(len(batch.targets), 88, generator=Generator().manual_seed(0))
    total = 0.0
    for notes, step in zip(batch.targets.tolist(), scores.tolist(), strict=True):
        for v, s in zip(notes, step, strict=True):
            p = 1 / (1 + math.exp(-s))
            total -= v * math.log(p) + (1 - v) * math.log(1 - p)
    steps = sum(len(song) for song in splits["testdata"][0])
    assert task.loss(scores, batch).item() == pytest.approx(total / steps, rel=1e-5)
    assert task.error(scores, batch) == pytest.approx((total, steps), rel=1e-6)
    # Even odds on every note: 88 ln 2 nats per step, whatever sounds.
    assert task.loss(torch.zeros(len(scores), 88), batch).item() == pytest.approx(88 * math.log(2), rel=1e-5)


def test_music_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"--data must name the folder that holds JSB_Chorales\.mat"):
        TASKS["jsb"](None)
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match=r"JSB_Chorales\.mat: no such file$"):
            TASKS["jsb"](folder)
    (tmp_path / "JSB_Chorales.mat").write_bytes(b"no matrix")
    with pytest.raises(DataError, match=r"JSB_Chorales\.mat: expected .* traindata, validdata, testdata"):
        TASKS["jsb"](tmp_path)
    empty = {key: np.empty((1, 0), dtype=object) for key in ("traindata", "validdata", "testdata")}
    savemat(tmp_path / "JSB_Chorales.mat", empty)
    with pytest.raises(DataError, match="no pieces"):
        TASKS["jsb"](tmp_path)
    savemat(tmp_path / "JSB_Chorales.mat", {"traindata": np.zeros((3, 88))})
    with pytest.raises(DataError, match=r"\[T, 88\]"):
        TASKS["jsb"](tmp_path)
