"""Any text through any tokenizer: ids within the vocabulary, and the same after every way of keeping it."""

import copy
import json
import pickle
from functools import cache
from pathlib import Path
from random import Random

from elman.text import TextTokenizer

from .case import Case, refusals, stored

_KINDS = ("words", "characters", "bpe", "spaces", "jieba")
_PIECES = [
    "a", "film", "[UNK]", "[PAD]", "[END]", " ", "  ", "\n", "\r\n", "\t", "<br />", "<BR>", "é", "e\u0301", "ＯＫ",
    "İ", "ß", "房间", "，", "！", "😀", "\u200b", "\ufeff", "\x00", "\ud800", "▁", "don't", "1,000", "x" * 300,
    "ﬁ", "\u202e",
]  # fmt: skip
_TRAINING = ["a good film , it was", "房间 很好 ！", "don't [UNK] 1,000 x", "a a a film film"] * 3


class Tokenizers:
    name = "tokenizers"

    def corpus(self) -> list[Case]:
        return stored(self.name)

    def draw(self, random: Random) -> Case:
        texts = ["".join(random.choices(_PIECES, k=random.randint(0, 8))) for _ in range(3)]
        case = {"kind": random.choice(_KINDS), "generative": random.random() < 0.5, "texts": texts}
        return Case("texts.json", json.dumps(case).encode())

    def check(self, case: Case, folder: Path) -> None:
        drawn = json.loads(case.content)
        texts = drawn["texts"]
        with refusals():
            tokenizer = _fitted(drawn["kind"], drawn["generative"])
            ids = tokenizer.encode(texts)
            assert len(ids) == len(texts)
            assert all(0 <= i < tokenizer.vocab_size for i in ids.ids)
            for text, length in zip(texts, ids.lengths, strict=True):
                assert len(tokenizer.tokens(text)) == length
            for other in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
                assert other.encode(texts).ids.tolist() == ids.ids.tolist(), "a copy cuts the text otherwise"
            stored_one = TextTokenizer.from_json(tokenizer.to_json(), tokenizer.kind)
            assert stored_one.encode(texts).ids.tolist() == ids.ids.tolist(), "read from JSON it cuts otherwise"


@cache
def _fitted(kind: str, generative: bool) -> TextTokenizer:
    return TextTokenizer.fit(_TRAINING, kind=kind, vocab_size=60, min_count=1, generative=generative)
