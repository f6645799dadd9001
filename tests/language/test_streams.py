"""Streams against a brute-force twin: documents laid end to end and cut by hand."""

import numpy as np
import pytest
import torch

from elman.language.streams import IGNORED, training_streams, whole_documents
from elman.text import RaggedIds

END = 2


def corpus(lengths, seed=0):
    """Documents of words whose ids are all different, each closed by an end."""
    start, documents = 3, []
    for length in lengths:
        documents.append([*range(start, start + length - 1), END])
        start += length - 1
    return RaggedIds.from_lists(documents)


def as_read(document, backward):
    words = [int(i) for i in document]
    return [*words[-2::-1], words[-1]] if backward else words


def laid_out(documents, order, backward):
    """Of each word of the order: word, left, starts, right, ends."""
    rows = []
    for number in order:
        words = as_read(documents[number], backward)
        for step, word in enumerate(words):
            first, last = step == 0, step == len(words) - 1
            rows.append((word, END if first else words[step - 1], first, END if last else words[step + 1], last))
    return rows


def joined(streams):
    """The five tensors of all chunks, one after the other."""
    chunks = list(streams)
    return [torch.cat([chunk[part] for chunk in chunks]).tolist() for part in range(5)]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("jitter", [False, True])
@pytest.mark.parametrize("steps", [1, 4, 100])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 60])
@pytest.mark.parametrize("lengths", [[6, 1, 9, 2, 13], [31], [2, 2, 3]])
def test_training_streams_are_the_documents_laid_end_to_end(lengths, batch_size, steps, jitter, backward):
    documents = corpus(lengths)
    streams = training_streams(
        documents,
        END,
        batch_size=batch_size,
        steps=steps,
        jitter=jitter,
        backward=backward,
        generator=np.random.default_rng(3),
    )
    order = np.random.default_rng(3).permutation(len(lengths))
    text = laid_out(documents, order, backward)
    count = min(batch_size, len(text))
    length = -(-len(text) // count)
    target, left, starts, right, ends = joined(streams)
    assert [len(target), len(target[0])] == [length, count]
    for stream in range(count):
        for step in range(length):
            word, before, first, after, last = text[(stream * length + step) % len(text)]
            assert target[step][stream] == word
            assert left[step][stream] == before
            assert starts[step][stream] == (first or step == 0)
            assert right[step][stream] == after
            assert ends[step][stream] == last
    seen = [word for row in zip(*target, strict=True) for word in row]
    assert seen[: len(text)] == [row[0] for row in text]  # each once; what is more is the beginning again


@pytest.mark.parametrize("jitter", [False, True])
def test_chunks_follow_each_other_and_say_how_long_they_are(jitter):
    documents = corpus([500] * 4)
    streams = training_streams(
        documents, END, batch_size=2, steps=20, jitter=jitter, backward=False, generator=np.random.default_rng(0)
    )
    lengths = [len(chunk.target) for chunk in streams]
    assert sum(lengths) == 1000 and streams.bounds[0, 0] == 0
    assert (streams.bounds[1:, 0] == streams.bounds[:-1, 1]).all()
    assert [chunk.rate_scale for chunk in streams] == [length / 20 for length in lengths]
    if jitter:
        assert len(set(lengths)) > 5 and min(lengths[:-1]) >= 5
        assert 15 < np.mean(lengths) < 25
    else:
        assert set(lengths) == {20}
    assert [len(chunk.target) for chunk in streams[3:5]] == lengths[3:5]


def test_the_order_and_the_chunks_follow_from_the_generator():
    def drawn(seed):
        generator = np.random.default_rng(seed)
        return joined(
            training_streams(
                corpus([9, 5, 12]), END, batch_size=2, steps=7, jitter=True, backward=False, generator=generator
            )
        )

    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("tokens", [1, 8, 10_000])
@pytest.mark.parametrize("batch_size", [1, 2, 4, 64])
@pytest.mark.parametrize("lengths", [[6, 1, 9, 2, 13], [31], [2, 2, 2, 2]])
def test_whole_documents_are_read_once_each_from_its_start(lengths, batch_size, tokens, backward):
    documents = corpus(lengths)
    streams = whole_documents(documents, END, batch_size=batch_size, tokens=tokens, backward=backward)
    target, left, starts, right, ends = joined(streams)
    found = []
    for stream in zip(*(zip(*part, strict=True) for part in (target, left, starts, right, ends)), strict=True):
        rows = list(zip(*stream, strict=True))
        while rows and rows[-1][0] == IGNORED:
            rows.pop()
        assert IGNORED not in [row[0] for row in rows]
        while rows:
            size = next(i for i, row in enumerate(rows) if row[4]) + 1
            found.append(rows[:size])
            rows = rows[size:]
    expected = [laid_out([document], [0], backward) for document in documents]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("backward", [False, True])
def test_places_are_where_the_words_stand(backward):
    documents = corpus([6, 1, 9, 2, 13])
    for streams in (
        whole_documents(documents, END, batch_size=2, tokens=8, backward=backward),
        training_streams(
            documents, END, batch_size=4, steps=3, jitter=False, backward=backward, generator=np.random.default_rng(0)
        ),
    ):
        for number, chunk in enumerate(streams):
            places, target = streams.places(number), chunk.target.numpy()
            assert ((places == IGNORED) == (target == IGNORED)).all()
            assert (documents.ids[places][places != IGNORED] == target[target != IGNORED]).all()
