"""The validation split is stratified, seeded, and no duplicate crosses it."""

from collections import Counter

import numpy as np
import pytest

from conftest import make_reviews
from elman.classify.split import Split, hold_out
from elman.errors import LabelError, SplitError
from elman.labels import class_numbers, find_classes

CLASSES = np.array(["bad", "good", "odd"])


def data(rows=300, repeats=40):
    texts, labels = make_reviews(rows, ("bad", "good", "odd"))
    texts, labels = texts + [f" {t}  " for t in texts[:repeats]], labels + labels[:repeats]
    return Split(texts, find_classes(labels)[1])


def test_every_row_once_in_the_right_shares():
    whole = data()
    train, validation = hold_out(whole, CLASSES, 0.2, seed=1)
    rows = Counter(zip(train.texts + validation.texts, [*train.numbers, *validation.numbers], strict=True))
    assert rows == Counter(zip(whole.texts, whole.numbers, strict=True))
    share = np.bincount(validation.numbers) / np.bincount(whole.numbers)
    assert (abs(share - 0.2) < 0.02).all()


def test_no_duplicate_crosses():
    train, validation = hold_out(data(), CLASSES, 0.3, seed=2)
    assert not {t.strip() for t in train.texts} & {t.strip() for t in validation.texts}
    whole = data()
    twice = Split([*whole.texts, *map(str.upper, whole.texts)], np.tile(whole.numbers, 2))
    train, validation = hold_out(twice, CLASSES, 0.3, seed=2)
    assert not {t.strip().lower() for t in train.texts} & {t.strip().lower() for t in validation.texts}


def test_no_group_crosses():
    whole = data()
    groups = [None if row % 7 == 0 else f"film {row % 40}" for row in range(len(whole.texts))]
    train, validation = hold_out(whole, CLASSES, 0.3, seed=2, groups=groups)
    of = {}
    for text, group in zip(whole.texts, groups, strict=True):
        of.setdefault(text, set()).add(group)
    sides = [set().union(*(of[text] for text in part.texts)) - {None} for part in (train, validation)]
    assert all(sides) and not sides[0] & sides[1]
    assert not {t.strip() for t in train.texts} & {t.strip() for t in validation.texts}
    assert len(train.texts) + len(validation.texts) == len(whole.texts)
    assert 0.2 < len(validation.texts) / len(whole.texts) < 0.45


def test_equal_texts_join_their_groups():
    whole = Split(["a", "b", "b", "c", "d", "e"] + [f"x{i}" for i in range(20)], np.array([0, 1] * 13))
    groups = ["one", "one", "two", "two", None, float("nan")] + [None] * 20
    for seed in range(10):
        train, _ = hold_out(whole, CLASSES, 0.3, seed, groups)
        assert len({"a", "b", "c"} & set(train.texts)) in (0, 3)
        assert train.texts.count("b") in (0, 2)


def test_without_groups_the_split_is_that_of_a_group_each():
    whole = data()
    alone = hold_out(whole, CLASSES, 0.2, 5)
    assert alone[1].texts == hold_out(whole, CLASSES, 0.2, 5, [None] * len(whole.texts))[1].texts
    with pytest.raises(SplitError, match="got 2 groups and 340 texts"):
        hold_out(whole, CLASSES, 0.2, 5, ["a", "b"])


@pytest.mark.parametrize("huge", [300, 900, 2700])
@pytest.mark.parametrize("seed", range(5))
def test_a_group_far_larger_than_the_share_stays_in_training(huge, seed):
    """Whether it is a group or one text many times, of one class or of both."""
    numbers = np.arange(huge + 300) % 2
    groups = ["n/a"] * huge + [None] * 300
    different = [f"text {row}" for row in range(huge + 300)]
    equal = ["n/a"] * huge + different[huge:]
    for texts, of in ((different, groups), (equal, None)):
        train, validation = hold_out(Split(texts, numbers), CLASSES, 0.1, seed, of)
        assert 0.025 < len(validation.texts) / len(numbers) < 0.16
        assert set(validation.texts) <= set(different[huge:]) and set(train.numbers) == {0, 1}
        assert len(set(train.texts) & set(different[huge:])) >= 149  # half of the others are learned from too
    in_one = np.where(np.arange(huge + 300) < huge, 0, numbers)
    validation = hold_out(Split(different, in_one), CLASSES, 0.1, seed, groups)[1]
    assert set(validation.texts) <= set(different[huge:]) and set(validation.numbers) == {0, 1}


def test_where_all_groups_are_larger_than_the_share_the_smallest_is_held_out():
    numbers = np.repeat([0, 1], 100)
    groups = [*["a"] * 40, *["b"] * 30, *["c"] * 30, *["d"] * 45, *["e"] * 55]
    for seed in range(5):
        validation = hold_out(Split([f"text {row}" for row in range(200)], numbers), CLASSES, 0.1, seed, groups)[1]
        assert np.bincount(validation.numbers).tolist() == [30, 45]


def test_the_seed_decides():
    first, again, other = (hold_out(data(), CLASSES, 0.2, seed=s)[1].texts for s in (1, 1, 2))
    assert first == again != other


def test_sorted_input_is_shuffled():
    order = np.argsort(data().numbers, kind="stable")
    train, _ = hold_out(data().select(order), CLASSES, 0.2, seed=1)
    assert len(set(train.numbers[:20])) > 1


def test_refusals():
    tiny = Split(["a", "b", "c"], np.array([0, 1, 1]))
    with pytest.raises(SplitError, match=r"0.1 takes no row out of 3.*validation_split 0"):
        hold_out(tiny, CLASSES, 0.1, 0)
    with pytest.raises(SplitError, match="leaves 2 classes without a training row"):
        hold_out(tiny, CLASSES, 0.9, 0)
    one = Split(["a", "A", "b", "c", "a"], np.array([0, 0, 1, 1, 0]))
    reason = r"0.5 leaves 1 classes without a training row \('bad'\): equal texts stay on one side; give"
    with pytest.raises(SplitError, match=reason):
        hold_out(one, CLASSES, 0.5, 0)
    with pytest.raises(SplitError, match=r"\('bad', 'good'\): equal texts and rows of one group stay on one side"):
        hold_out(one, CLASSES, 0.5, 0, ["film"] * 3 + ["other"] * 2)
    with pytest.raises(SplitError, match=r"leaves 7 classes .*\(0, 1, 2, 3, 4, \.\.\)"):
        hold_out(Split(list("abcdefg"), np.arange(7)), np.arange(7), 0.9, 0)
    with pytest.raises(LabelError, match=r"test.csv, row 2: the label 'z' was not in the training data \(x, y\)"):
        class_numbers(["x", "z"], np.array(["x", "y"]), "test.csv")
