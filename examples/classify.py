"""Train a classifier in Python, look at its curve, use it, save it. Takes a few seconds."""

import random
import tempfile

import elman
from elman.text import read_labelled

data = read_labelled("rotten-tomatoes")
rows = random.Random(0).sample(range(len(data)), 2000)
texts, labels = [data.texts[i] for i in rows], [data.labels[i] for i in rows]

model = elman.TextClassifier(epochs=4, seed=0).fit(texts[:1600], labels[:1600])
for epoch in model.history_:
    print(f"epoch {epoch.epoch}: training {epoch.train_accuracy:.3f}, validation {epoch.validation_accuracy:.3f}")
print(f"held out: {model.score(texts[1600:], labels[1600:]):.3f}")

for text in ("a moving and funny film", "a tedious mess"):
    print(text, dict(zip(model.classes_, model.predict_proba([text])[0].round(3), strict=True)))

with tempfile.TemporaryDirectory() as folder:
    model.save(folder)
    again = elman.TextClassifier.load(folder)
    assert (again.predict(texts[:50]) == model.predict(texts[:50])).all()
