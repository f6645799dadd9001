"""Bytes of a file to decoded lines: compression, encoding, limits, and the errors that name file and line."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from ..errors import DataError, EncodingError

DAMAGED = (EOFError, OSError, zlib.error)  # what reading a file raises that breaks off or is damaged

LONGEST_LINE = 2**28
# Deflate makes up to 1,032 bytes of one; text comes to 3 to 20.
_MOST_PER_BYTE, _UNLIMITED = 200, 2**24
_BLOCK = 1 << 20


def open_bytes(path: Path) -> IO[bytes]:
    """A plain or .gz file for reading, which can be sought in.

    Raises:
        DataError: it is missing, unreadable or empty; also later, where a .gz file breaks off, is damaged, or comes to
            more than 16 MB and 200 times its size.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty")
        if path.suffix.lower() == ".gz":
            file = cast(IO[bytes], io.BufferedReader(_Unpacked(path), 2**16))
        else:
            file = path.open("rb")
        file.read(1)
        file.seek(0)
    except DAMAGED as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return file


class _Unpacked(io.RawIOBase):
    """What is in a .gz file, as far as it is no more than text can come to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._packed = path.open("rb")
        self._file = gzip.GzipFile(fileobj=self._packed)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with self._named():
            content = self._file.read1(len(buffer))
        buffer[: len(content)] = content
        check_expansion(self._file.tell(), self.packed_position, str(self._path))
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END:  # which gzip finds only by reading on
            while self.read(2**16):
                pass
            offset, whence = offset + self._file.tell(), io.SEEK_SET
        with self._named():
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        self._packed.close()
        super().close()

    @property
    def packed_position(self) -> int:
        """Bytes of the file on the disk that are read."""
        return self._packed.tell()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except DAMAGED as error:
            raise DataError(f"{self._path}: cannot be read to its end ({error})") from None


class Arrivals:
    """A stream such as a pipe, that can be asked whether its next line is there.

    Attributes:
        file: to read from, instead of the stream.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._raw = _Arriving(stream)
        self.file = io.BufferedReader(self._raw, 2**16)

    def has_line(self) -> bool:
        """Without waiting."""
        self._raw.waits = False
        is_there = b"\n" in self.file.peek()
        self._raw.waits = True
        return is_there


class _Arriving(io.RawIOBase):
    """What a stream has; while it does not wait, nothing."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream: Any = stream
        self.waits = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if not self.waits:
            return None
        content = self._stream.read1(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def check_expansion(unpacked: int, packed: int, name: str) -> None:
    """Raises DataError where so many bytes of text come of so many compressed ones as no text can come to."""
    if unpacked > _UNLIMITED and unpacked > _MOST_PER_BYTE * packed:
        raise DataError(
            f"{name}: expected at most {_MOST_PER_BYTE} bytes of text for each compressed one, got {unpacked:,} of "
            f"{packed:,}; unpack the file first if that is meant"
        )


def bytes_read(file: Any) -> int:
    """How far a file of `open_bytes` is read; of a .gz file in bytes on the disk."""
    raw = getattr(file, "raw", None)
    return raw.packed_position if isinstance(raw, _Unpacked) else int(file.tell())


def raw_lines(file: IO[bytes], name: str, longest: int) -> Iterator[bytes]:
    """Lines with their ends. Raises DataError for one of more than `longest` bytes, before it is all in memory."""
    number = 0
    while raw := file.readline(longest + 1):
        number += 1
        if len(raw) > longest:
            raise _too_long(name, number, longest)
        yield raw


def _too_long(name: str, number: int, longest: int) -> DataError:
    return DataError(f"{name}, line {number}: expected lines of at most {longest >> 20} MB, got a longer one")


def is_wide(encoding: str) -> bool:
    """Whether characters take two or four bytes each, of which some are zero. Raises EncodingError if it is unknown."""
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise EncodingError(f"unknown encoding {encoding!r}: give a name such as utf-8, gb18030 or latin-1") from None
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def is_utf8(path: Path) -> bool:
    """Whether a plain or .gz file is text in UTF-8 from end to end. Raises DataError as `open_bytes`."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(path) as file:
        try:
            while block := file.read(_BLOCK):
                if b"\0" in block:
                    return False
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        except DAMAGED as error:
            raise DataError(f"{path}: cannot be read to its end ({error})") from None
    return True


def decoded_lines(file: IO[bytes], name: str, encoding: str) -> Iterator[str]:
    """Lines with their ends, decoded one by one so that a bad byte can be placed.

    Raises:
        EncodingError: bytes that are not text in `encoding`, with the line number.
        DataError: zero bytes, which no text has, a line of more than 256 MB, or a damaged .gz file.
    """
    lines = (_wide_lines if is_wide(encoding) else _narrow_lines)(file, name, encoding)
    try:
        yield from lines
    except DAMAGED as error:
        raise DataError(f"{name}: cannot be read to its end ({error})") from None


def ended_anyhow(lines: Iterator[str]) -> Iterator[str]:
    """Those that end in a carriage return alone too, as old spreadsheets and editors write them."""
    for line in lines:
        if "\r" in line.rstrip("\r\n"):
            yield from io.StringIO(line, newline="")
        else:
            yield line


def _narrow_lines(file: IO[bytes], name: str, encoding: str) -> Iterator[str]:
    for number, raw in enumerate(raw_lines(file, name, LONGEST_LINE), 1):
        if b"\0" in raw:
            raise _binary(name, number, "--encoding utf-16")
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            yield raw.decode(encoding)
        except UnicodeError as error:
            byte = raw[error.start] if isinstance(error, UnicodeDecodeError) else None
            raise _not_text(name, number, byte, encoding) from None


def _wide_lines(file: IO[bytes], name: str, encoding: str) -> Iterator[str]:
    number = 0
    wrapper = io.TextIOWrapper(file, encoding, newline="")
    try:
        while line := wrapper.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise _too_long(name, number, LONGEST_LINE)
            if "\0" in line:
                raise _binary(name, number, "another --encoding")
            yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError:
        raise _not_text(name, number + 1, None, encoding) from None
    finally:
        if not file.closed:
            wrapper.detach()  # it is closed by who opened it


def _binary(name: str, number: int, remedy: str) -> DataError:
    return DataError(f"{name}, line {number}: a zero byte; this looks like a binary file, or {remedy}")


def _not_text(name: str, number: int, byte: int | None, encoding: str) -> EncodingError:
    what = "bytes that are" if byte is None else f"byte 0x{byte:02x} is"
    return EncodingError(
        f"{name}, line {number}: {what} not valid {encoding}; say what the file is in with --encoding "
        "(for example gb18030, latin-1, utf-16)"
    )
