"""Damage to bytes and to JSON."""

import copy
import json
from random import Random
from typing import Any

# What parsers stumble over: delimiters, quotes, byte order marks, zero bytes, halves of characters, and numbers.
TOKENS = [
    b'"', b'""', b"'", b"\\", b'\\"', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\xef\xbb\xbf", b"\xff\xfe",
    b"\xed\xa0\x80", b"\xc3", b"\xf0\x9f\x98\x80", b"e\xcc\x81", b"\xe2\x80\x8b", b"{", b"}", b"[" * 2000, b"]",
    b"null", b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 5000, b"\x1f\x8b\x08", b"PAR1", b"nan", b"true", b"\\ud800",
    b"[UNK]", b"[PAD]", b"[END]", b"text", b"label", b" " * 300, b"\xe2\x80\xa8",
]  # fmt: skip

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, -(2**31), 0.5, -0.0, 1e308, float("inf"), float("nan"),
    "", "x", "lstm", "None", "\x00", "\ud800", "é" * 50, [], [0], [[]], {}, {"a": 1}, [1] * 100, 6000, 400_000,
    1_000_000,
]  # fmt: skip


def mutated(content: bytes, random: Random) -> bytes:
    """One to four kinds of damage, one after the other."""
    for _ in range(random.randint(1, 4)):
        content = random.choice(_DAMAGES)(content, random)
    return content


def mutated_json(content: bytes, random: Random) -> bytes:
    """One to three values of a JSON document exchanged, removed or doubled."""
    document = json.loads(content)
    for _ in range(random.randint(1, 3)):
        document = _replaced(copy.deepcopy(document), random)
    return json.dumps(document).encode()


def _replaced(document: Any, random: Random) -> Any:
    holders = list(_containers(document))
    if not holders:
        return document
    holder = random.choice(holders)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if not keys:
        return document
    key = random.choice(keys)
    action = random.random()
    if action < 0.15:
        del holder[key]
    elif action < 0.25 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[key] = copy.deepcopy(random.choice(VALUES))
    return document


def _containers(value: Any) -> Any:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _flip_bit(content: bytes, random: Random) -> bytes:
    if not content:
        return content
    place = random.randrange(len(content))
    flipped = content[place] ^ 1 << random.randrange(8)
    return content[:place] + bytes([flipped]) + content[place + 1 :]


def _set_byte(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    return content[:place] + bytes([random.randrange(256)]) + content[place + 1 :]


def _insert_token(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    return content[:place] + random.choice(TOKENS) + content[place:]


def _cut_off(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _remove(content: bytes, random: Random) -> bytes:
    start, end = _range(content, random)
    return content[:start] + content[end:]


def _repeat(content: bytes, random: Random) -> bytes:
    start, end = _range(content, random)
    return content[:end] + content[start:end] * random.choice([1, 1, 2, 20]) + content[end:]


def _swap_lines(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    random.shuffle(lines)
    return b"".join(lines)


def _range(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(content) + 1)
    return start, min(len(content), start + random.choice([1, 2, 8, 40, 200]))


_DAMAGES = [_flip_bit, _set_byte, _insert_token, _insert_token, _cut_off, _remove, _repeat, _swap_lines]
