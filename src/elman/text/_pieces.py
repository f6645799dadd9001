"""Where a long text can be cut so that the tokens of its pieces, one after the other, are those of the whole text.

Such a place is behind a character that ends a token of its kind, and before one that normalisation joins to nothing:
neither a combining mark nor the next letter of a Hangul syllable, nor a character that may stand inside of `<br />`.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

SIZE = 1 << 14  # characters; fewer would only cost calls

_MARKS = (
    r"!-&(-.:;=?@\[-\^`{-~，。！？；：、"  # of one token each, but for the apostrophe, which may be inside of a word
)
_ENDS = {
    "words": re.compile(rf"[ \t\r\n{_MARKS}](?=\S)"),
    "bpe": re.compile(rf"[ \t\r\n{_MARKS}](?=\S)"),
    "spaces": re.compile(r"[ \t\r\n](?=\S)"),
    "characters": re.compile(r"[\s\S](?=\S)"),
    "jieba": re.compile(r"[\s，。！？；：、](?=\S)"),  # whose words and sentences end there
}
_BEFORE_SPACE = re.compile(r"[!-qs-~](?= )")  # not behind the r of a `<br />`


def spans(text: str, kind: str, *, before_space: bool = False) -> Iterator[tuple[int, int]]:
    """Start and end of each piece: `SIZE` characters, and on to the next place where the text can be cut.

    Args:
        kind: of the tokenizer.
        before_space: tokens begin with the space before them, and nothing else divides them.
    """
    ends = _BEFORE_SPACE if before_space else _ENDS[kind]
    start = 0
    while len(text) - start > SIZE:
        places = (match.end() for match in ends.finditer(text, start + SIZE - 1))
        end = next((place for place in places if before_space or _begins_anew(text[place])), len(text))
        yield start, end
        start = end
    if start < len(text) or not text:
        yield start, len(text)


@lru_cache(1024)
def _begins_anew(character: str) -> bool:
    """Whether normalisation leaves a character alone whatever stands before it."""
    first = unicodedata.normalize("NFKD", character)[0]
    in_syllable = "\u1160" <= first <= "\u11ff"
    in_break = first in "br/>" or first.isspace()
    return unicodedata.category(first)[0] not in "MC" and not (in_syllable or in_break)
