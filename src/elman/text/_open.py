"""Bytes of a file to decoded lines: compression, encoding, and the errors that name file and line."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from ..errors import DataError, EncodingError

DAMAGED = (EOFError, OSError, zlib.error)  # what reading a file raises that breaks off or is damaged

_BLOCK = 1 << 20


def open_bytes(path: Path) -> IO[bytes]:
    """A plain or .gz file for reading. Raises DataError if it is missing, unreadable or empty."""
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty")
        file: Any = gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # noqa: SIM115 (the caller closes)
        file.read(1)
        file.seek(0)
    except DAMAGED as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return cast(IO[bytes], file)


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
        DataError: zero bytes, which no text has, or a damaged .gz file.
    """
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise EncodingError(f"unknown encoding {encoding!r}: give a name such as utf-8, gb18030 or latin-1") from None
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        lines: Iterator[str] = _wide_lines(file, name, encoding)
    else:
        lines = _narrow_lines(file, name, encoding)
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
    for number, raw in enumerate(file, 1):
        if b"\0" in raw:
            raise DataError(f"{name}, line {number}: a zero byte; this looks like a binary file, or --encoding utf-16")
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
        for number, line in enumerate(wrapper, 1):
            yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError:
        raise _not_text(name, number + 1, None, encoding) from None
    finally:
        wrapper.detach()  # the file is closed by who opened it


def _not_text(name: str, number: int, byte: int | None, encoding: str) -> EncodingError:
    what = "bytes that are" if byte is None else f"byte 0x{byte:02x} is"
    return EncodingError(
        f"{name}, line {number}: {what} not valid {encoding}; say what the file is in with --encoding "
        "(for example gb18030, latin-1, utf-16)"
    )
