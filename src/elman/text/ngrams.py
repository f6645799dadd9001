"""Which n-grams of token ids each text has, as a sparse matrix."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .ids import RaggedIds

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: spreads ids over 64 bits


def ngram_keys(texts: RaggedIds, longest: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """A 64-bit key and the row of every n-gram of 1 to `longest` tokens; none crosses from one text to the next.

    Two different n-grams share a key with a chance of 2**-64 per pair, which is passed over.
    """
    rows = np.repeat(np.arange(len(texts)), texts.lengths)
    ids = texts.ids.astype(np.uint64)
    key = np.zeros_like(ids)
    keys, owners = [], []
    for n in range(1, longest + 1):
        if n > len(ids):
            break
        key = (key[: len(ids) - n + 1] ^ ids[n - 1 :]) + np.uint64(1)
        key = key * _MIX
        key ^= key >> np.uint64(32)
        inside = rows[: len(key)] == rows[n - 1 :]
        keys.append(key[inside])
        owners.append(rows[: len(key)][inside])
    if not keys:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    return np.concatenate(keys), np.concatenate(owners)


def fit_ngrams(texts: RaggedIds, longest: int, min_texts: int) -> tuple[NDArray[np.uint64], sparse.csr_matrix]:
    """Sorted keys [F] of the n-grams that at least `min_texts` texts have, and their `ngram_matrix` [B, F]."""
    keys, rows = ngram_keys(texts, longest)
    found, which = np.unique(keys, return_inverse=True)
    matrix = _presence(rows, which, (len(texts), len(found)))
    frequent = np.bincount(matrix.indices, minlength=len(found)) >= min_texts
    return found[frequent], matrix[:, np.flatnonzero(frequent)]


def ngram_matrix(texts: RaggedIds, longest: int, known: NDArray[np.uint64]) -> sparse.csr_matrix:
    """[B, F] with 1 where the text has the n-gram; those not among `known` are left out."""
    keys, rows = ngram_keys(texts, longest)
    place = np.searchsorted(known, keys)
    hit = place < len(known)
    hit[hit] = known[place[hit]] == keys[hit]
    return _presence(rows[hit], place[hit], (len(texts), len(known)))


def _presence(rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]) -> sparse.csr_matrix:
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    matrix.data[:] = 1  # the constructor has added repeats up
    return matrix
