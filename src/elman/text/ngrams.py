"""Which n-grams of token ids end at each token."""

import numpy as np
from numpy.typing import NDArray

from .ids import RaggedIds

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: spreads ids over 64 bits
_START = np.int32(2**31 - 1)  # no vocabulary has this id


def ngram_keys(texts: RaggedIds, longest: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A 64-bit key of every n-gram.

    The start of a text counts as a token before its first one: how a text begins is an n-gram of its own. Two
    different n-grams share a key with a chance of 2**-64 per pair, which is passed over.

    Returns:
        keys [N, longest], column n - 1 for the n-gram of n tokens that ends at the token; and whether there is one
        [N, longest]: none reaches back into the text before.
    """
    rows = np.repeat(np.arange(len(texts)), texts.lengths + 1)
    ids = np.insert(texts.ids, texts.offsets[:-1], _START).astype(np.uint64)
    is_token = np.ones(len(ids), bool)
    is_token[texts.offsets[:-1] + np.arange(len(texts))] = False
    keys = np.zeros((len(ids), longest), np.uint64)
    inside = np.zeros((len(ids), longest), bool)
    key = np.zeros_like(ids)
    for n in range(1, min(longest, len(ids)) + 1):
        key = (key[: len(ids) - n + 1] ^ ids[n - 1 :]) + np.uint64(1)
        key = key * _MIX
        key ^= key >> np.uint64(32)
        keys[n - 1 :, n - 1] = key
        inside[n - 1 :, n - 1] = rows[: len(key)] == rows[n - 1 :]
    return keys[is_token], inside[is_token]


def frequent_ngrams(
    texts: RaggedIds, longest: int, most: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.uint64]:
    """Sorted keys [F] of the n-grams that occur at least twice; of more than `most`, the more frequent ones.

    Args:
        weights: [B] of the texts; an n-gram in a text of weight 2 occurs twice, in one below 1 still once.
    """
    keys, inside = ngram_keys(texts, longest)
    if weights is None:
        found, counts = np.unique(keys[inside], return_counts=True)
    else:
        owner = np.repeat(np.arange(len(texts)), texts.lengths)
        each = np.broadcast_to(np.maximum(weights, 1)[owner][:, None], inside.shape)[inside]
        found, place = np.unique(keys[inside], return_inverse=True)
        counts = np.bincount(place, each, len(found))
    least = 2
    while (counts >= least).sum() > most:
        least += 1
    return np.asarray(found[counts >= least])


def ngram_places(texts: RaggedIds, longest: int, known: NDArray[np.uint64]) -> NDArray[np.int32]:
    """[N, longest] index into `known` of the n-grams that end at each token; -1 for none or an unknown one."""
    keys, inside = ngram_keys(texts, longest)
    place = np.searchsorted(known, keys)
    place[place == len(known)] = -1
    hit = inside & (place >= 0)
    hit[hit] = known[place[hit]] == keys[hit]
    return np.where(hit, place, -1).astype(np.int32)
