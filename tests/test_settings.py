"""Values of settings: bounds, types, TOML files of any content, and what was asked for."""

import copy
import pickle
from dataclasses import replace

import pytest

from elman import classify, language
from elman.errors import ElmanError, UsageError
from elman.settings import inherit, is_explicit, read_toml, to_dict, to_toml, with_explicit

ROOMS = pytest.mark.parametrize("room", [classify, language], ids=["classify", "language"])
LONG = 10**5000  # Python writes no number of more than 4,300 digits
ODD = [10**20, LONG, -LONG, float("nan"), float("inf"), [], {}, "x" * 10**6, "1," * 2000 + "1", "9" * 5000, "\udcff"]


@ROOMS
def test_every_setting_refuses_what_it_cannot_be_in_a_short_line(room):
    names = to_dict(room.resolve())
    refused = 0
    for name in names:
        for value in ODD:
            try:
                room.resolve(**{name: value})
            except ElmanError as error:
                refused += 1
                assert len(str(error)) < 400 and "\n" not in str(error)
    assert refused > 0.8 * len(names) * len(ODD)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 10**6}, "hidden_size must be at least 1 and at most 65536, got 1000000"),
        ({"hidden_sizes": "8,99999999999999999999"}, "hidden_sizes must be at most 256 numbers, each at most 65536"),
        ({"num_layers": 10**6}, "num_layers must be at least 1 and at most 256, got 1000000"),
        ({"vocab_size": 12345678901234567890}, "vocab_size must be .* at most 10000000, got 12345678901234567890"),
        ({"epochs": 2**31}, "epochs must be .* at most 2147483647, got 2147483648"),
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"hidden_size": LONG}, "hidden_size must be .*, got a number of more than 4,300 digits"),
        ({"learning_rate": LONG}, "learning_rate must be .*, got a number of more than 4,300 digits"),
        ({"cell": ["lstm"]}, "cell must be of type str, got \\['lstm'\\]"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
@ROOMS
def test_bounds(room, settings, message):
    with pytest.raises(UsageError, match=message):
        room.resolve(**settings)


@pytest.mark.parametrize(
    "content",
    [
        "a = " + "[" * 100_000,
        "a = " + "{ b = " * 5000,
        "hidden_size = " + "9" * 5000,
        "hidden_size = 0x" + "f" * 5000,
        "hidden_size = " + "9" * 4000,
        "vocab_size = 12345678901234567890",
        "learning_rate = 1e999",
        "learning_rate = " + "9" * 400,
        "preset = [1]",
        "preset = 3",
        "cell = ['lstm']",
        "x" * 10**6 + " = 1",
        "cell = '" + "x" * 10**6 + "'",
        "[deep.er]\na = 1",
        "seed = 1979-05-27T07:32:00Z",
        "\xff",
        "\0",
    ],
    ids=lambda content: content[:20],
)
@ROOMS
def test_a_file_of_anything_is_refused_in_a_short_line(room, tmp_path, content):
    path = tmp_path / "a.toml"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UsageError) as raised:
        room.resolve(file=path)
    assert len(str(raised.value)) < 400 + len(str(path)) and "\n" not in str(raised.value)


def test_deep_nesting_is_named(tmp_path):
    (tmp_path / "a.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(UsageError, match=r"a\.toml: not a TOML file of settings \(nested too deep\)"):
        read_toml(tmp_path / "a.toml")


COPIES = [
    lambda config: config,
    copy.copy,
    copy.deepcopy,
    lambda config: replace(config, seed=7),
    lambda config: pickle.loads(pickle.dumps(config)),
]


@ROOMS
@pytest.mark.parametrize("copied", COPIES, ids=["itself", "copy", "deepcopy", "replace", "pickle"])
def test_what_was_asked_for_goes_along(room, copied):
    usual = room.resolve()
    config = copied(room.resolve(hidden_size=usual.hidden_size, cell="gru"))
    assert is_explicit(config, "hidden_size", usual) and is_explicit(config, "cell", usual)
    assert not is_explicit(config, "num_layers", usual)
    assert inherit(config, usual, {"hidden_size": usual.hidden_size, "num_layers": 3}).num_layers == 3
    with pytest.raises(UsageError, match=f"hidden_size: the language model has 5, got {usual.hidden_size}"):
        inherit(config, usual, {"hidden_size": 5})


@ROOMS
def test_a_value_that_was_changed_afterwards_was_asked_for(room):
    usual = room.resolve()
    for config in (replace(usual, num_layers=4), type(usual)(num_layers=4)):
        assert is_explicit(config, "num_layers", usual) and not is_explicit(config, "hidden_size", usual)
    assert not is_explicit(inherit(usual, usual, {"num_layers": 4}), "num_layers", usual)
    assert is_explicit(with_explicit(usual, ["num_layers"]), "num_layers", usual)


@ROOMS
def test_it_is_no_setting(room, tmp_path):
    config = room.resolve(hidden_size=12)
    assert "defaults" not in to_dict(config) and "defaults" not in to_toml(config) and "defaults" not in repr(config)
    assert config == replace(config, defaults=None) and hash(config) == hash(replace(config, defaults=None))
    (tmp_path / "a.toml").write_text(to_toml(config))
    assert room.resolve(file=tmp_path / "a.toml") == config
    with pytest.raises(UsageError, match="unknown setting 'defaults'"):
        room.resolve(defaults={})
