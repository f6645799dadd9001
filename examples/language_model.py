"""A language model of the sentences in Elman (1990), "Finding Structure in Time", section 5. Takes a few seconds.

Words come from classes and classes from eleven patterns; the network sees words alone, one after the other.
"""

import random
import tempfile

import elman

WORDS = {
    "human": ["man", "woman", "boy", "girl"],
    "animal": ["cat", "mouse", "dog", "lion"],
    "thing": ["book", "rock", "car"],
    "fragile": ["glass", "plate"],
    "food": ["cookie", "bread", "sandwich"],
    "monster": ["dragon", "monster"],
    "perceives": ["smells", "sees"],
    "breaks": ["breaks", "smashes"],
    "rests": ["thinks", "sleeps", "exists"],
    "moves": ["chases", "likes"],
    "eats": ["eats"],
}
PATTERNS = """human eats food|human perceives thing|human breaks fragile|human rests|human moves human
animal eats food|animal moves animal|animal rests|monster breaks fragile|monster eats human|monster eats animal"""

chooser = random.Random(0)
patterns = [pattern.split() for line in PATTERNS.splitlines() for pattern in line.split("|")]
sentences = [" ".join(chooser.choice(WORDS[kind]) for kind in chooser.choice(patterns)) for _ in range(1200)]

model = elman.LanguageModel(
    "classic-rnn",
    documents="line",
    embedding_dim=12,
    hidden_size=24,
    tied=False,
    dropout=0.0,
    embedding_dropout=0.0,
    word_dropout=0.0,
    min_count=1,
    optimizer="adam",
    learning_rate=0.01,
    schedule="constant",
    bptt=12,
    epochs=6,
)
model.fit(sentences[:1000])
print(model)
new = sentences[1000:]
turned = [" ".join(reversed(sentence.split())) for sentence in new]
print(f"perplexity of new sentences {model.perplexity(new):.2f}, read from their end {model.perplexity(turned):.2f}")
for number in range(5):
    print(model.generate(number=number))
print(model.generate("dragon", temperature=0))

with tempfile.TemporaryDirectory() as folder:
    model.save(folder)
    again = elman.LanguageModel.load(folder)
    assert again.generate("dragon") == model.generate("dragon")
