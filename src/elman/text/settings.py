"""What can be set about how text becomes tokens."""

from dataclasses import dataclass

from ..settings import choose, setting, within
from .tokenizer import KINDS, NORMALIZATIONS

_MOST_TOKENS = 10_000_000  # the tokenizers set memory aside for as many


@dataclass(frozen=True)
class TextSettings:
    """Settings that a classifier and a language model share; see `TextTokenizer.fit`."""

    tokenizer: str = setting("auto", f"How text is cut: {', '.join(KINDS)}.")
    normalization: str = setting(
        "auto",
        "What is done to text first: fold (lower case, Unicode's NFKC, <br /> to a space), nfc (as it is written) or "
        "none; auto: fold, in a language model nfc, none where words are cut at spaces.",
    )
    vocab_size: int = setting(30000, "Most frequent tokens kept, padding and unknown included.")
    min_count: int = setting(2, "Times a token must occur to be kept.")

    def check_text(self) -> None:
        """Raises UsageError for a value outside its bounds."""
        choose("tokenizer", self.tokenizer, KINDS)
        choose("normalization", self.normalization, NORMALIZATIONS)
        within("vocab_size", self.vocab_size, 3, most=_MOST_TOKENS)
        within("min_count", self.min_count, 1)
