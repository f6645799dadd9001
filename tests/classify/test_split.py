"""The validation split is stratified, seeded, and no duplicate crosses it."""

from collections import Counter

import numpy as np
import pytest

from conftest import make_reviews
from elman.classify.split import Split, hold_out, split_notes
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


SMALL = {
    "77 of 5": (np.repeat(np.arange(77), 5), None),
    "150 of 3": (np.tile(np.arange(150), 3), None),
    "150 of 2": (np.repeat(np.arange(150), 2), None),
    "77 of 15": (np.repeat(np.arange(77), 15), None),  # rounding takes 2 of each, a third more than the share
    "100 of 13": (np.repeat(np.arange(100), 13), None),
    "100 of 1 and 100 of 3": (np.concatenate([np.arange(100), np.repeat(np.arange(100, 200), 3)]), None),
    "300 of 1 and 10 of 30": (np.concatenate([np.arange(300), np.repeat(np.arange(300, 310), 30)]), None),
    "2 of 200 and 60 of 4": (np.concatenate([np.repeat([0, 1], 200), np.repeat(np.arange(2, 62), 4)]), None),
    "50 of 20 in groups of 5": (np.repeat(np.arange(50), 20), np.arange(1000) // 5),
    "150 of 3 by 45 authors": (np.repeat(np.arange(150), 3), np.random.default_rng(0).integers(0, 45, 450)),
}


@pytest.mark.parametrize(("numbers", "groups"), SMALL.values(), ids=SMALL)
@pytest.mark.parametrize("seed", range(3))
def test_many_small_classes_give_their_share_together(numbers, groups, seed):
    whole = Split([f"text {row}" for row in range(len(numbers))], numbers)
    of = None if groups is None else groups.tolist()
    train, validation = hold_out(whole, np.arange(numbers.max() + 1), 0.1, seed, of)
    unavoidable = 0 if groups is None else 10  # part of a group
    assert abs(len(validation.texts) - 0.1 * len(numbers)) <= 1 + unavoidable
    assert set(train.numbers) == set(numbers)
    assert hold_out(whole, np.arange(numbers.max() + 1), 0.1, seed, of)[1].texts == validation.texts
    each = np.bincount(validation.numbers, minlength=numbers.max() + 1)
    if groups is None:  # no class gives much more than its share, and none all it has
        assert (each <= np.maximum(1, np.ceil(0.2 * np.bincount(numbers)))).all()


def test_small_classes_with_equal_texts():
    numbers = np.repeat(np.arange(80), 5)
    texts = [f"class {row // 5} text {(row % 5) // 2}" for row in range(400)]  # twice two equal ones and one alone
    texts[395:] = ["one text"] * 5
    train, validation = hold_out(Split(texts, numbers), np.arange(80), 0.1, 0)
    assert len(validation.texts) == 40 and set(train.numbers) == set(range(80))
    assert not set(train.texts) & set(validation.texts)


def rounded(whole, share, seed):
    """The rule for classes whose rounded shares make the share of all: rows [n] in their order."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(whole.numbers.max() + 1):
        own = np.flatnonzero(whole.numbers == number)
        rows += own[generator.permutation(len(own))][: round(share * len(own))].tolist()
    return sorted(rows)


@pytest.mark.parametrize(
    "sizes", [(12500, 12500), (3610, 3310), (1250, 1223, 1162, 896, 835, 86), (50, 30, 20)], ids=str
)
def test_classes_that_are_large_enough_are_held_out_each_on_its_own(sizes):
    """Of the sizes of IMDB, SST-2 and TREC-6: their splits stay what they were."""
    numbers = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    whole = Split([str(row) for row in range(len(numbers))], numbers)
    for seed in (0, 7):
        validation = hold_out(whole, np.arange(len(sizes)), 0.1, seed)[1]
        assert validation.texts == [str(row) for row in rounded(whole, 0.1, seed)]


def test_what_was_done_instead_is_said():
    def notes(whole, share, groups=None):
        train, validation = hold_out(whole, np.arange(whole.numbers.max() + 1), share, 0, groups)
        assert set(train.numbers) == set(whole.numbers)
        return split_notes(train, validation, share)

    assert notes(data(), 0.2) == []
    many = Split([str(row) for row in range(385)], np.repeat(np.arange(77), 5))
    assert notes(many, 0.1) == ["the validation part has no row of 38 of 77 classes"]
    same = Split(["a"] * 900 + [str(row) for row in range(100)], np.repeat([0, 1], [900, 100]))
    share, classes = notes(same, 0.1)
    assert share.startswith("10 of 1,000 rows are held out for validation, 1.0% instead of 10.0%: equal texts and")
    assert classes == "the validation part has no row of 1 of 2 classes"
    tiny = Split(["a", "b", "c"], np.array([0, 1, 1]))
    assert notes(tiny, 0.9)[0].startswith("1 of 3 rows")


def test_refusals():
    tiny = Split(["a", "b", "c"], np.array([0, 1, 1]))
    with pytest.raises(SplitError, match=r"0.1 takes no row out of 3.*validation_split 0"):
        hold_out(tiny, CLASSES, 0.1, 0)
    one = Split(["a", "A", "b", "c", "a"], np.array([0, 0, 1, 1, 0]))
    reason = "0.5 finds no row to hold out: equal texts and rows of one group stay on one side, and of 5 rows in 1 such"
    with pytest.raises(SplitError, match=reason):
        hold_out(one, CLASSES, 0.5, 0, ["film"] * 3 + ["other"] * 2)
    with pytest.raises(SplitError, match="equal texts stay on one side, and of 7 rows in 7 such groups none can go"):
        hold_out(Split(list("abcdefg"), np.arange(7)), np.arange(7), 0.9, 0)
    with pytest.raises(LabelError, match=r"test.csv, row 2: the label 'z' was not in the training data \(x, y\)"):
        class_numbers(["x", "z"], np.array(["x", "y"]), "test.csv")
