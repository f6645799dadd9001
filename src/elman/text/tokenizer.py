"""From strings to token ids, by Hugging Face `tokenizers`; jieba cuts Chinese into words before it."""

import logging
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from ..errors import MissingExtraError, ModelFolderError, UsageError
from ..settings import choose
from ._pieces import SIZE, spans
from .ids import RaggedIds, share_of_ends

KINDS = ("auto", "words", "bpe", "characters", "spaces", "jieba")
UNITS = {
    "words": "words",
    "bpe": "BPE pieces",
    "characters": "characters",
    "spaces": "words between spaces",
    "jieba": "Chinese words (jieba)",
}
NORMALIZATIONS = ("auto", "fold", "nfc", "none")
PAD, UNKNOWN, END = "[PAD]", "[UNK]", "[END]"
_APART = " "  # behind them where words are what stands between spaces, of which any may be written as they are
PAD_ID, UNKNOWN_ID, END_ID = 0, 1, 2

_WORD = r"\w+(?:['’]\w+)*|[^\w\s]"  # a word with its apostrophes, or one mark of punctuation
_CHARACTER = r"\S"
_ANY = r"[\s\S]"
_SPACE = "▁"  # before a BPE piece that begins a word, and a space between Chinese words that are to be written
_WIDE = "\u3001-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"  # marks of Chinese and Japanese
_GLUED_LEFT = re.compile(rf" (?=[.,;:!?)\]}}%’”…{_WIDE}]|'(?:s|t|re|ve|ll|d|m)\b)")
_GLUED_RIGHT = re.compile(rf"(?<=[(\[{{$#“‘{_WIDE}]) ")
_BATCH, _BATCH_CHARACTERS = 2048, 1 << 20  # of about 100 bytes each while they are encoded

# Scripts written without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LETTER = re.compile(r"[^\W\d_]")


def choose_kind(texts: Iterable[str]) -> str:
    """`words` for scripts with spaces; otherwise `jieba` for Chinese where it is installed, `characters` if not."""
    sample = "".join(text[:1000] for text, _ in zip(texts, range(1000), strict=False))
    letters = len(_LETTER.findall(sample))
    unspaced = len(_UNSPACED.findall(sample))
    if unspaced <= 0.3 * letters:
        return "words"
    if len(_HAN.findall(sample)) < 0.9 * unspaced:
        return "characters"
    try:
        _jieba()
    except MissingExtraError:
        return "characters"
    return "jieba"


def _jieba() -> Callable[[str], Iterable[str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # jieba 0.42 has old escape sequences
            import jieba
    except ImportError:
        raise MissingExtraError("Chinese word segmentation", "zh") from None
    jieba.setLogLevel(logging.WARNING)
    return jieba.cut  # type: ignore[no-any-return]


def _pre_tokenizer(kind: str, generative: bool) -> pre_tokenizers.PreTokenizer:
    if generative and kind == "bpe":
        return pre_tokenizers.Metaspace(_SPACE)
    pattern = {"characters": _ANY if generative else _CHARACTER, "jieba": r"\S+", "spaces": r"\S+"}
    return pre_tokenizers.Split(Regex(pattern.get(kind, _WORD)), "removed", invert=True)


def _total(parts: Iterable[NDArray[np.int32]]) -> int:
    return sum(len(part) for part in parts)


def _normalizer(normalization: str) -> normalizers.Normalizer:
    if normalization == "nfc":
        return normalizers.NFC()
    return normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"<br\s*/?>"), " "), normalizers.Lowercase()]
    )


class TextTokenizer:
    """A fitted tokenizer with its vocabulary; id 0 is padding, id 1 an unknown token.

    Text is normalised first:

        fold    Unicode NFKC, `<br />` to a space, lower case: for telling texts apart
        nfc     as it is written, a letter and its accents as one character: for writing texts
        none    not at all

    Attributes:
        kind: words, bpe, characters, spaces or jieba.
    """

    def __init__(self, tokenizer: Tokenizer, kind: str) -> None:
        if kind not in KINDS[1:]:
            raise UsageError(f"unknown kind of tokenizer {kind!r}: expected one of {', '.join(KINDS[1:])}")
        self.kind = kind
        self._tokenizer = tokenizer
        tokenizer.encode_special_tokens = True  # "[END]" in a text is three tokens and not the one
        self._segment = _jieba() if kind == "jieba" else None
        self._writes_spaces = kind == "jieba" and tokenizer.token_to_id(_SPACE) is not None
        self._before_space = isinstance(tokenizer.pre_tokenizer, pre_tokenizers.Metaspace)
        self._end = END + _APART * (kind == "spaces")

    def __getstate__(self) -> dict[str, Any]:
        return {"kind": self.kind, "_tokenizer": self._tokenizer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The tokenizer's own state lacks `encode_special_tokens`, and jieba has locks, which cannot be pickled.
        self.__init__(state["_tokenizer"], state["kind"])  # type: ignore[misc]

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        kind: str = "auto",
        vocab_size: int = 30000,
        min_count: int = 1,
        normalization: str = "auto",
        generative: bool = False,
    ) -> "TextTokenizer":
        """Learn the vocabulary: the `vocab_size` most frequent tokens that occur at least `min_count` times.

        Args:
            texts: any iterable; read once, or a second time first where the kind is "auto".
            vocab_size: V, the special ids included.
            normalization: fold, nfc or none; auto: none where the text is cut at spaces, else nfc of a generative
                tokenizer and fold of others.
            generative: keep spaces between pieces and characters, so that `text_of` can put them together, and have a
                token for the end.
        """
        if kind not in KINDS:
            raise UsageError(f"unknown tokenizer {kind!r}: choose one of {', '.join(KINDS)}")
        if vocab_size < 3:
            raise UsageError(f"a vocabulary needs at least 3 entries, got {vocab_size}")
        choose("normalization", normalization, NORMALIZATIONS)
        kind = choose_kind(texts) if kind == "auto" else kind
        special = [name + _APART * (kind == "spaces") for name in (PAD, UNKNOWN, END)[: 3 if generative else 2]]
        tokenizer = Tokenizer((models.BPE if kind == "bpe" else models.WordLevel)(unk_token=special[UNKNOWN_ID]))
        if normalization == "auto":
            normalization = "none" if kind == "spaces" else "nfc" if generative else "fold"
        if normalization != "none":
            tokenizer.normalizer = _normalizer(normalization)
        tokenizer.pre_tokenizer = _pre_tokenizer(kind, generative)
        alphabet: dict[str, Any] = {"limit_alphabet": max(1, vocab_size - len(special))} if kind == "bpe" else {}
        trainer = (trainers.BpeTrainer if kind == "bpe" else trainers.WordLevelTrainer)(
            vocab_size=vocab_size, min_frequency=min_count, special_tokens=special, show_progress=False, **alphabet
        )
        untrained = cls(tokenizer, kind)
        untrained._writes_spaces = generative and kind == "jieba"
        pieces = (text[start:end] for text in texts for start, end in untrained._spans(text))
        tokenizer.train_from_iterator(map(untrained._prepared, pieces), trainer)
        return cls(tokenizer, kind)

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Pieces of a text that can be encoded one by one."""
        return spans(text, self.kind, before_space=self._before_space)

    def _prepared(self, text: str) -> str:
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is not text
        if self._segment is None:
            return text
        words = self._segment(text)
        if self._writes_spaces:
            words = (_SPACE if word.isspace() else word for word in words)
        return " ".join(words)

    def encode(self, texts: Sequence[str], max_length: int = 0, keep: str = "start") -> RaggedIds:
        """Token ids of each text; an empty text has none.

        Args:
            max_length, keep: as `RaggedIds.cut`, which this equals; what lies between the ends of a long text is then
                not read.
        """
        pieces = [list(self._spans(text)) for text in texts]
        is_whole = [not max_length or len(of_text) <= 2 for of_text in pieces]
        whole = (row for row in range(len(texts)) if is_whole[row])
        encoded = self._encoded(texts[row][start:end] for row in whole for start, end in pieces[row])
        rows = []
        for row, text in enumerate(texts):
            if is_whole[row]:
                ids = [next(encoded) for _ in pieces[row]]
            else:
                ids = self._ends(text, pieces[row], max_length, keep)
            rows.append(np.concatenate(ids))
        return RaggedIds.from_lists(rows).cut(max_length, keep)

    def _encoded(self, pieces: Iterable[str]) -> Iterator[NDArray[np.int32]]:
        """Ids of each piece; many pieces are encoded at a time."""
        batch: list[str] = []
        characters = 0
        for piece in pieces:
            batch.append(self._prepared(self._shortened(piece)))
            characters += len(piece)
            if len(batch) == _BATCH or characters >= _BATCH_CHARACTERS:
                yield from self._batch(batch)
                batch, characters = [], 0
        yield from self._batch(batch)

    @cached_property
    def _long_runs(self) -> re.Pattern[str]:
        """Letters that are part of a word longer than any in the vocabulary, and that normalisation leaves as many."""
        longest = max(map(len, self.words())) + 2
        return re.compile(rf"([0-9A-Za-z_\u4e00-\u9fff]{{{longest}}})[0-9A-Za-z_\u4e00-\u9fff]+")

    def _shortened(self, piece: str) -> str:
        """Without most of a word of many kilobytes, which is unknown by its first letters."""
        is_one_word = self.kind in ("words", "spaces") and len(piece) > 2 * SIZE
        return self._long_runs.sub(r"\1", piece) if is_one_word else piece

    def _batch(self, pieces: list[str]) -> list[NDArray[np.int32]]:
        encodings = self._tokenizer.encode_batch_fast(pieces, add_special_tokens=False)
        return [np.array(encoding.ids, np.int32) for encoding in encodings]

    def _ends(self, text: str, pieces: list[tuple[int, int]], max_length: int, keep: str) -> list[NDArray[np.int32]]:
        """Ids of the pieces at the ends of a text, as many as `RaggedIds.cut` may leave something of."""
        head, tail = share_of_ends(max_length, keep)
        left, front, back = deque(pieces), deque[NDArray[np.int32]](), deque[NDArray[np.int32]]()
        while left and _total(front) < head:
            start, end = left.popleft()
            front.extend(self._encoded([text[start:end]]))
        while left and _total(back) < tail:
            start, end = left.pop()
            back.extendleft(self._encoded([text[start:end]]))
        return [*front, *back]

    def tokens(self, text: str) -> list[str]:
        """The tokens of one text as strings; those outside the vocabulary appear as they are written."""
        prepared = self._prepared(text)
        encoded = self._tokenizer.encode(prepared, add_special_tokens=False)
        return [
            prepared[a:b] if i == UNKNOWN_ID else t
            for i, t, (a, b) in zip(encoded.ids, encoded.tokens, encoded.offsets, strict=True)
        ]

    def text_of(self, ids: Iterable[int]) -> str:
        """The text that these tokens stand for, as near as they tell; each end is a line's end."""
        tokens = ["\n" if i == self.end_id else self._token(i) for i in ids]
        if self.kind in ("characters", "bpe", "jieba"):
            return "".join(tokens).replace(_SPACE, " ").replace("\n ", "\n")
        text = " ".join(tokens).replace(" \n ", "\n").replace("\n ", "\n").replace(" \n", "\n")
        return text if self.kind == "spaces" else _GLUED_RIGHT.sub("", _GLUED_LEFT.sub("", text))

    def _token(self, i: int) -> str:
        token = str(self._tokenizer.id_to_token(i))
        return token.removesuffix(_APART) if self.kind == "spaces" else token

    def words(self) -> list[str]:
        """The vocabulary in the order of the ids."""
        return [self._token(i) for i in range(self.vocab_size)]

    @property
    def unit(self) -> str:
        """What the tokens are, in words for people."""
        as_written = self.normalization == "nfc" or (self.normalization == "none" and self.kind != "spaces")
        return UNITS[self.kind] + ", case kept" * as_written

    @property
    def normalization(self) -> str:
        """What is done to a text first: fold, nfc or none."""
        normalizer = self._tokenizer.normalizer
        if normalizer is None:
            return "none"
        return "nfc" if isinstance(normalizer, normalizers.NFC) else "fold"

    @property
    def end_id(self) -> int | None:
        """Id of the token that ends a line or a document, which `encode` does not add; None without one."""
        found: int | None = self._tokenizer.token_to_id(self._end)
        return found

    @property
    def vocab_size(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def to_json(self) -> str:
        return str(self._tokenizer.to_str())

    @classmethod
    def from_json(cls, text: str, kind: str) -> "TextTokenizer":
        """Raises ModelFolderError if the JSON is not a tokenizer."""
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelFolderError(f"the tokenizer cannot be read ({error})") from None
        found = cls(tokenizer, kind)
        ids = sorted(tokenizer.get_vocab().values())
        unknown = UNKNOWN + _APART * (kind == "spaces")
        if ids != list(range(len(ids))) or tokenizer.token_to_id(unknown) != UNKNOWN_ID:
            raise ModelFolderError(f"the tokenizer's ids are not 0, 1, .. with {unknown!r} at {UNKNOWN_ID}")
        if found.end_id not in (None, END_ID):
            raise ModelFolderError(f"the tokenizer has {END} at {found.end_id}, expected {END_ID}")
        return found

    @classmethod
    def load(cls, path: Path, kind: str) -> "TextTokenizer":
        return cls.from_json(path.read_text(encoding="utf-8"), kind)
