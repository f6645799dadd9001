"""Tokenizers and encoded texts of earlier runs, so that the same data is not encoded twice.

Kept under $ELMAN_CACHE, or `elman` in the user's cache folder; the newest 32 entries stay. A cache that cannot be
read or written is passed over: it only saves time.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from .. import __version__
from .ids import RaggedIds
from .tokenizer import TextTokenizer, choose_kind

_ENTRIES = 32


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
    key = _key("tokenizer", kind, vocab_size, min_count, normalization, digest(texts))
    try:
        return TextTokenizer.from_json((folder() / f"{key}.json").read_text(encoding="utf-8"), kind)
    except (OSError, ValueError):
        pass
    tokenizer = TextTokenizer.fit(
        texts, kind=kind, vocab_size=vocab_size, min_count=min_count, normalization=normalization
    )
    _write(f"{key}.json", lambda path: path.write_text(tokenizer.to_json(), encoding="utf-8"))
    return tokenizer


def encode(tokenizer: TextTokenizer, texts: list[str]) -> RaggedIds:
    """`tokenizer.encode(texts)`, remembered."""
    key = _key("ids", tokenizer.kind, tokenizer.to_json(), digest(texts))
    try:
        with (folder() / f"{key}.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return RaggedIds(stored["ids"], stored["offsets"])
    except (OSError, ValueError, KeyError, BadZipFile):
        pass
    ids = tokenizer.encode(texts)
    _write(f"{key}.npz", lambda path: np.savez(path, ids=ids.ids, offsets=ids.offsets))
    return ids


def _key(*parts: object) -> str:
    return hashlib.sha256(repr((__version__, *parts)).encode()).hexdigest()[:32]


def _write(name: str, write: Callable[[Path], object]) -> None:
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder(), prefix="new-") as scratch:
            path = Path(scratch) / name
            write(path)
            path.replace(folder() / name)
        entries = sorted((p for p in folder().iterdir() if p.is_file()), key=lambda p: p.stat().st_mtime)
        for path in entries[:-_ENTRIES]:
            path.unlink(missing_ok=True)
    except OSError:
        pass
