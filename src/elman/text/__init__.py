"""Files and strings to ragged arrays of token ids: readers, tokenizer, vocabulary, n-grams, a cache of encoded texts.

Knows nothing of models, labels' meaning or training.
"""

from . import cache, corpus
from .corpus import DOCUMENTS, Documents
from .given import listed, strings
from .ids import KEEP, RaggedIds
from .left_out import LeftOut, Line, mark_of
from .ngrams import frequent_ngrams, ngram_places
from .provenance import (
    BUILT_IN,
    ColumnNames,
    Provenance,
    ReadOptions,
    Say,
    any_table,
    check_columns,
    column_names,
    once,
    refuse_columns,
    warn,
)
from .read import (
    LabelledTexts,
    arriving_lines,
    labelled_of,
    lines_of,
    provenance_of,
    read_labelled,
    read_texts,
    shown,
    texts_of,
)
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
    "ColumnNames",
    "Documents",
    "LabelledTexts",
    "LeftOut",
    "Line",
    "Provenance",
    "RaggedIds",
    "ReadOptions",
    "Say",
    "TextSettings",
    "TextTokenizer",
    "VectorFormat",
    "WordVectors",
    "any_table",
    "arriving_lines",
    "cache",
    "check_columns",
    "column_names",
    "corpus",
    "frequent_ngrams",
    "labelled_of",
    "lines_of",
    "listed",
    "mark_of",
    "ngram_places",
    "once",
    "provenance_of",
    "read_labelled",
    "read_texts",
    "read_vectors",
    "refuse_columns",
    "shown",
    "strings",
    "texts_of",
    "vector_format",
    "warn",
]
