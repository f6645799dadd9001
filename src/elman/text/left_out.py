"""Texts that are never learned from, such as those of a test set, and the passing over of them."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Line = tuple[str, bool]  # a line, and whether it is the last of its document


@dataclass(frozen=True)
class LeftOut:
    """Whole texts and the lines of them, known by what is the same however they are written.

    Attributes:
        marks: of each text and of each of its lines.
        longest: characters of the longest text, as they are compared.
    """

    marks: frozenset[bytes] = frozenset()
    longest: int = 0

    @classmethod
    def of(cls, texts: Iterable[str]) -> "LeftOut":
        marks: set[bytes] = set()
        longest = 0
        for text in texts:
            longest = max(longest, len(_plain(text)))
            marks.update(mark_of(piece) for piece in (text, *text.splitlines()) if piece.strip())
        return cls(frozenset(marks), longest)

    def __contains__(self, text: str) -> bool:
        return bool(self.marks) and mark_of(text) in self.marks

    def passed_over(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines without documents that are such a text as a whole, and without those that are one by themselves."""
        return self._without_lines(self._without_documents(lines)) if self.marks else iter(lines)

    def _without_documents(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Holds a document back until it has ended or is longer than any text that is left out."""
        held: list[Line] = []
        size, is_other = 0, False
        for line in lines:
            text, is_last = line
            if is_other or (is_last and not held):  # a single line is looked at by itself
                yield line
            else:
                held.append(line)
                size += len(_plain(text))
                is_other = size > self.longest
                if is_other or (is_last and "\n".join(text for text, _ in held) not in self):
                    yield from held
                if is_other or is_last:
                    held = []
            if is_last:
                size, is_other = 0, False
        yield from held

    def _without_lines(self, lines: Iterable[Line]) -> Iterator[Line]:
        """An end is kept where the line that has it goes: it moves to the line before."""
        previous: Line | None = None
        for text, is_last in lines:
            if text not in self:
                if previous is not None:
                    yield previous
                previous = text, is_last
            elif is_last and previous is not None:
                previous = previous[0], True
        if previous is not None:
            yield previous


NOTHING = LeftOut()


def mark_of(text: str) -> bytes:
    """The same whatever the case, spaces, <br>, invisible characters, and the form of the others in Unicode."""
    return hashlib.blake2b(_plain(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def _plain(text: str) -> str:
    """What is seen of it, without case and any space."""
    if "<" in text:
        text = _BREAK.sub(" ", text)
    if not text.isascii():
        text = "".join(character for character in text if unicodedata.category(character) != "Cf")
        text = unicodedata.normalize("NFKC", text)
    return "".join(text.casefold().split())
