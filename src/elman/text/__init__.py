"""Files and strings to ragged arrays of token ids: readers, tokenizer, vocabulary, n-grams, a cache of encoded texts.

Knows nothing of models, labels' meaning or training.
"""

from . import cache, corpus
from .corpus import DOCUMENTS, Documents
from .given import listed, strings
from .ids import KEEP, RaggedIds
from .left_out import LeftOut, Line, mark_of
from .ngrams import frequent_ngrams, ngram_places
from .read import BUILT_IN, LabelledTexts, arriving_lines, lines_of, read_labelled, read_texts
from .settings import TextSettings
from .tokenizer import END_ID, KINDS, PAD_ID, UNKNOWN_ID, TextTokenizer
from .vectors import VectorFormat, WordVectors, read_vectors, vector_format

__all__ = [
    "BUILT_IN",
    "DOCUMENTS",
    "END_ID",
    "KEEP",
    "KINDS",
    "PAD_ID",
    "UNKNOWN_ID",
    "Documents",
    "LabelledTexts",
    "LeftOut",
    "Line",
    "RaggedIds",
    "TextSettings",
    "TextTokenizer",
    "VectorFormat",
    "WordVectors",
    "arriving_lines",
    "cache",
    "corpus",
    "frequent_ngrams",
    "lines_of",
    "listed",
    "mark_of",
    "ngram_places",
    "read_labelled",
    "read_texts",
    "read_vectors",
    "strings",
    "vector_format",
]
