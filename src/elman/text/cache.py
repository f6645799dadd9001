"""Tokenizers and encoded texts of earlier runs, so that the same data is not encoded twice.

Kept under $ELMAN_CACHE, or `elman` in the user's cache folder; the newest 32 entries stay. An entry that is damaged is
passed over and written anew, and so is a cache that cannot be read or written: it only saves time. Each file begins
with the SHA-256 of the rest.
"""

import hashlib
import io
import os
import secrets
from contextlib import suppress
from pathlib import Path

import numpy as np

from .. import __version__
from .ids import RaggedIds
from .tokenizer import TextTokenizer, choose_kind

_ENTRIES = 32
_SEAL = hashlib.sha256().digest_size


def folder() -> Path:
    """Where the entries are."""
    base = os.environ.get("ELMAN_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "elman"


def digest(texts: list[str]) -> str:
    """Fingerprint of the texts in their order."""
    fingerprint = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        fingerprint.update(len(data).to_bytes(8, "little"))
        fingerprint.update(data)
    return fingerprint.hexdigest()


def fit(texts: list[str], *, kind: str, vocab_size: int, min_count: int, normalization: str = "auto") -> TextTokenizer:
    """`TextTokenizer.fit`, remembered."""
    kind = choose_kind(texts) if kind == "auto" else kind
    name = f"{_key('tokenizer', kind, vocab_size, min_count, normalization, digest(texts))}.tokenizer"
    entry = _read(name)
    with suppress(ValueError):  # of another state of this version
        if entry is not None:
            return TextTokenizer.from_json(entry.decode(), kind)
    tokenizer = TextTokenizer.fit(
        texts, kind=kind, vocab_size=vocab_size, min_count=min_count, normalization=normalization
    )
    _write(name, tokenizer.to_json().encode())
    return tokenizer


def encode(tokenizer: TextTokenizer, texts: list[str]) -> RaggedIds:
    """`tokenizer.encode(texts)`, remembered."""
    name = f"{_key('ids', tokenizer.kind, tokenizer.to_json(), digest(texts))}.ids"
    entry = _read(name)
    if entry is not None:
        file = io.BytesIO(entry)
        return RaggedIds(np.load(file, allow_pickle=False), np.load(file, allow_pickle=False))
    ids = tokenizer.encode(texts)
    content = io.BytesIO()
    np.save(content, ids.ids)
    np.save(content, ids.offsets)
    _write(name, content.getvalue())
    return ids


def _key(*parts: object) -> str:
    return hashlib.sha256(repr((__version__, *parts)).encode()).hexdigest()[:32]


def _read(name: str) -> bytes | None:
    """What an entry holds; None without one, or if it is not what was written."""
    try:
        content = (folder() / name).read_bytes()
    except (OSError, RuntimeError):  # the latter where a user has no home
        return None
    seal, entry = content[:_SEAL], content[_SEAL:]
    return entry if seal == hashlib.sha256(entry).digest() else None


def _write(name: str, entry: bytes) -> None:
    """Beside, and then moved into its place, so that processes may write the same entry at a time."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        new = folder() / f"{name}.{secrets.token_hex(8)}.new"
        try:
            with new.open("xb") as file:
                file.write(hashlib.sha256(entry).digest() + entry)
                file.flush()
                os.fsync(file.fileno())
            new.replace(folder() / name)
        finally:
            new.unlink(missing_ok=True)
        entries = sorted((p for p in folder().iterdir() if p.is_file()), key=lambda p: p.stat().st_mtime)
        for path in entries[:-_ENTRIES]:
            path.unlink(missing_ok=True)
    except (OSError, RuntimeError):
        pass
