"""Labels mean the same whatever holds them; what cannot be seen makes no class; what is merely alike is said."""

import csv
import json
from decimal import Decimal
from itertools import product

import numpy as np
import pytest

from elman.errors import LabelError
from elman.labels import alike, class_numbers, find_classes, merge_invisible, normal_form, text_of
from elman.text import read_labelled

YES_NO = {
    "csv True": ["True", "False"],
    "csv true": ["true", "false"],
    "csv TRUE": ["TRUE", "FALSE"],
    "csv 1.0": ["1.0", "0.0"],
    "csv 1": ["1", "0"],
    "csv 1.00": ["+1.00", "0.00"],
    "jsonl": [True, False],
    "jsonl float": [1.0, 0.0],
    "jsonl int": [1, 0],
    "jsonl text": ["True", "False"],
    "parquet bool": [True, False],
    "parquet double": [1.0, 0.0],
    "parquet float": [1.0, 0.0],
    "parquet int8": [1, 0],
    "parquet uint64": [1, 0],
    "parquet string": ["True", "False"],
    "parquet dictionary": ["true", "false"],
    "parquet decimal": [Decimal("1.00"), Decimal("0.00")],
}
PYTHON = [[True, False], [1, 0], [1.0, 0.0], ["True", "False"], np.array([1, 0], np.float32), np.array([True, False])]


def written(folder, kind, labels):
    """A file of that kind with one row for each label."""
    ending, _, form = kind.partition(" ")
    path = folder / f"{kind.replace(' ', '-')}.{ending}"
    if ending == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["text", "label"], *(["a", label] for label in labels)])
    elif ending == "jsonl":
        path.write_text("".join(json.dumps({"text": "a", "label": label}) + "\n" for label in labels))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        types = {
            "bool": pyarrow.bool_(),
            "double": pyarrow.float64(),
            "dictionary": pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
            "decimal": pyarrow.decimal128(10, 2),
        }
        column = pyarrow.array(labels, types.get(form) or getattr(pyarrow, "float32" if form == "float" else form)())
        parquet.write_table(pyarrow.table({"text": ["a"] * len(labels), "label": column}), path)
    return path


@pytest.mark.parametrize("kind", YES_NO)
def test_a_label_is_the_same_in_every_format_and_in_python(tmp_path, kind):
    """Whichever of them is learned from, the others are evaluated."""
    labels = read_labelled(written(tmp_path, kind, YES_NO[kind])).labels
    classes, numbers = find_classes(labels)
    for other in YES_NO:
        further = read_labelled(written(tmp_path, other, YES_NO[other])).labels
        assert class_numbers(further, classes, "other").tolist() == numbers.tolist(), other
    for values in PYTHON:
        own, own_numbers = find_classes(values)
        names = np.array([text_of(label) for label in own])
        assert class_numbers(labels, names, "file").tolist() == own_numbers.tolist(), values
        assert class_numbers(list(values), classes, "python").tolist() == numbers.tolist(), values


@pytest.mark.parametrize("number", [0.1, 2.5, -3.0, 7.25, 1e-9, 0.3])
def test_a_number_is_the_same_at_every_precision(tmp_path, number):
    """32 bits keep 0.1 as another number, which is written as 0.1 all the same."""
    values = (number, str(number), f"{number:.12g}", np.float64(number), np.float32(number), float(np.float32(number)))
    assert len(set(map(normal_form, values))) == 1
    for kind in ("parquet float", "parquet double", "jsonl float"):
        [label] = read_labelled(written(tmp_path, kind, [number])).labels
        assert normal_form(label) == normal_form(number)


def test_numbers_are_told_apart():
    """Codes with zeros before them are no numbers; long ones keep every digit."""
    pairs = [("007", "7"), ("1_000", "1000"), ("0x10", "16"), ("1" * 40, "1" * 39 + "2"), ("3.1", "3.11"), ("-1", "1")]
    for one, other in pairs:
        assert normal_form(one) != normal_form(other)
        assert len(set(class_numbers([one, other], np.array([one, other]), "f"))) == 2


def test_the_type_of_an_answer_is_that_of_the_labels():
    for labels, kind in (([True, False], bool), ([1, 0], int), ([0.5, 1.0], float), (["a", "b"], str)):
        assert {type(label) for label in find_classes(labels)[0].tolist()} == {kind}


INVISIBLE = [
    "cafe\u0301",
    "caf\u00e9\u200b",
    "\ufeffcaf\u00e9",
    "ca\u00adf\u00e9",
    "\u00a0caf\u00e9 ",
    "caf\u00e9\u200d",
]


@pytest.mark.parametrize("other", INVISIBLE)
def test_what_cannot_be_seen_is_merged_and_listed(other):
    labels = ["café", other, "café", "tea"]
    merged, sentences = merge_invisible(labels)
    assert merged == ["café", "café", "café", "tea"] and len(sentences) == 1
    assert ascii(other) in sentences[0] and f"{'café'!a} (2 rows)" in sentences[0]
    assert class_numbers([other], np.array(["café", "tea"]), "f").tolist() == [0]
    assert class_numbers(["café"], np.array([other, "tea"]), "f").tolist() == [0]


def test_spaces_inside_are_one_space():
    assert merge_invisible(["New York", "New\u00a0York", "New  York"])[0] == ["New York"] * 3


@pytest.mark.parametrize(
    "labels",
    [
        ["good", "Good"],
        ["x²", "x2"],
        ["Ａ", "A"],
        ["1", "1.0"],
        ["True", "true"],
        ["new york", "newyork"],
        ["ca\u200dfe", "cafe"],
        ["❤", "❤\ufe0f"],
    ],
)
def test_what_is_alike_is_said_and_not_merged(labels):
    merged, sentences = merge_invisible([*labels, labels[0], "other"])
    assert merged == [*labels, labels[0], "other"]
    assert len(sentences) == 1 and "classes of their own" in sentences[0] and "(2 rows)" in sentences[0]
    assert alike(labels) and not alike(["good", "bad", "3.1", "3.10.1"])


def test_signs_that_cannot_be_seen_alone_make_other_emoji():
    flags = ["\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\U0001f3f4"]
    family = ["\U0001f468\u200d\U0001f469", "\U0001f468\U0001f469"]
    for labels in (flags, family):
        assert merge_invisible(labels)[0] == labels


def test_a_label_of_nothing_but_invisible_signs_stays():
    assert merge_invisible(["\u200b", "a"]) == (["\u200b", "a"], [])


def test_many_listings_are_short():
    labels = [f"{word}{end}" for word, end in product(map(str, range(100, 400)), ("a", "A"))]
    [sentence] = merge_invisible(labels)[1]
    assert len(sentence) < 400 and sentence.endswith("and 295 more")


def test_a_label_that_may_be_several_is_refused():
    with pytest.raises(LabelError, match=r"f.csv, row 1: the label 'TRUE' may be 'True' or 'true'"):
        class_numbers(["TRUE"], np.array(["True", "true"]), "f.csv")
    with pytest.raises(LabelError, match=r"row 2: the label 'Good' was not .*\(bad, good\); did you mean 'good'\?"):
        class_numbers(["bad", "Good"], np.array(["bad", "good"]), "f.csv")
    with pytest.raises(LabelError, match="label '1' was not in the training data"):  # three classes: no yes and no
        class_numbers(["1"], np.array(["false", "maybe", "true"]), "f.csv")
