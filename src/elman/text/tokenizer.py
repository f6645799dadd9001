"""From strings to token ids, by Hugging Face `tokenizers`; jieba cuts Chinese into words before it."""

import logging
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from ..errors import MissingExtraError, ModelFolderError, UsageError
from .ids import RaggedIds

KINDS = ("auto", "words", "bpe", "characters", "spaces", "jieba")
UNITS = {
    "words": "words",
    "bpe": "BPE pieces",
    "characters": "characters",
    "spaces": "words between spaces",
    "jieba": "Chinese words (jieba)",
}
PAD, UNKNOWN, END = "[PAD]", "[UNK]", "[END]"
_APART = " "  # behind them where words are what stands between spaces, of which any may be written as they are
PAD_ID, UNKNOWN_ID, END_ID = 0, 1, 2

_WORD = r"\w+(?:['’]\w+)*|[^\w\s]"  # a word with its apostrophes, or one mark of punctuation
_CHARACTER = r"\S"
_ANY = r"[\s\S]"
_SPACE = "▁"  # before a BPE piece that begins a word
_GLUED_LEFT = re.compile(r" (?=[.,;:!?)\]}%’”…]|'(?:s|t|re|ve|ll|d|m)\b)")
_GLUED_RIGHT = re.compile(r"(?<=[(\[{$#“‘]) ")
_BATCH = 2048

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


class TextTokenizer:
    """A fitted tokenizer with its vocabulary; id 0 is padding, id 1 an unknown token.

    Text is normalised first: Unicode NFKC, `<br />` to a space, lower case; not so text that is cut at spaces.

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
        self._end = END + _APART * (kind == "spaces")

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        kind: str = "auto",
        vocab_size: int = 30000,
        min_count: int = 1,
        generative: bool = False,
    ) -> "TextTokenizer":
        """Learn the vocabulary: the `vocab_size` most frequent tokens that occur at least `min_count` times.

        Args:
            texts: any iterable; read once, or a second time first where the kind is "auto".
            vocab_size: V, the special ids included.
            generative: keep spaces between pieces and characters, so that `text_of` can put them together, and have a
                token for the end.
        """
        if kind not in KINDS:
            raise UsageError(f"unknown tokenizer {kind!r}: choose one of {', '.join(KINDS)}")
        if vocab_size < 3:
            raise UsageError(f"a vocabulary needs at least 3 entries, got {vocab_size}")
        kind = choose_kind(texts) if kind == "auto" else kind
        special = [name + _APART * (kind == "spaces") for name in (PAD, UNKNOWN, END)[: 3 if generative else 2]]
        tokenizer = Tokenizer((models.BPE if kind == "bpe" else models.WordLevel)(unk_token=special[UNKNOWN_ID]))
        if kind != "spaces":
            tokenizer.normalizer = normalizers.Sequence(
                [normalizers.NFKC(), normalizers.Replace(Regex(r"<br\s*/?>"), " "), normalizers.Lowercase()]
            )
        if generative and kind == "bpe":
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE)
        else:
            pattern = {"characters": _ANY if generative else _CHARACTER, "jieba": r"\S+", "spaces": r"\S+"}
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern.get(kind, _WORD)), "removed", invert=True)
        alphabet: dict[str, Any] = {"limit_alphabet": max(1, vocab_size - len(special))} if kind == "bpe" else {}
        trainer = (trainers.BpeTrainer if kind == "bpe" else trainers.WordLevelTrainer)(
            vocab_size=vocab_size, min_frequency=min_count, special_tokens=special, show_progress=False, **alphabet
        )
        result = cls(tokenizer, kind)
        tokenizer.train_from_iterator((result._prepared(text) for text in texts), trainer)
        return result

    def _prepared(self, text: str) -> str:
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is not text
        return text if self._segment is None else " ".join(self._segment(text))

    def encode(self, texts: list[str]) -> RaggedIds:
        """Token ids of each text; an empty text has none."""
        rows: list[list[int]] = []
        for start in range(0, len(texts), _BATCH):
            batch = [self._prepared(text) for text in texts[start : start + _BATCH]]
            rows.extend(e.ids for e in self._tokenizer.encode_batch_fast(batch, add_special_tokens=False))
        return RaggedIds.from_lists(rows)

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
        return UNITS[self.kind]

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
