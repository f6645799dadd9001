"""Files and strings to ragged arrays of token ids: readers, tokenizer, vocabulary, n-grams, a cache of encoded texts.

Knows nothing of models, labels' meaning or training.
"""

from . import cache
from .ids import KEEP, RaggedIds
from .ngrams import frequent_ngrams, ngram_places
from .read import BUILT_IN, LabelledTexts, read_labelled, read_texts
from .tokenizer import KINDS, PAD_ID, UNKNOWN_ID, TextTokenizer

__all__ = [
    "BUILT_IN",
    "KEEP",
    "KINDS",
    "PAD_ID",
    "UNKNOWN_ID",
    "LabelledTexts",
    "RaggedIds",
    "TextTokenizer",
    "cache",
    "frequent_ngrams",
    "ngram_places",
    "read_labelled",
    "read_texts",
]
