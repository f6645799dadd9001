"""A network that knows both sides of a word: what it sees, where documents end, what it learns, how it is kept."""

import numpy as np
import pytest
import torch

from elman.errors import UsageError
from elman.language import TrainedLanguageModel, load, resolve, save
from elman.language.model import build_network
from elman.language.reading import negative_log_likelihood
from elman.language.streams import training_streams, whole_documents
from elman.language.task import LanguageTask
from elman.nn import LanguageModel
from elman.text import RaggedIds, TextTokenizer
from elman.training import Trainer

END, VOCAB = 2, 30
PLAIN = {
    "dropout": 0.0, "input_dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0, "weight_drop": 0.0,
    "embedding_dim": 8, "hidden_size": 6, "num_layers": 2,
}  # fmt: skip


def network(seed=0, **settings):
    torch.manual_seed(seed)
    return build_network(resolve(objective="fill", **{**PLAIN, **settings}), VOCAB).eval()


def documents(lengths, seed=0):
    chooser = np.random.default_rng(seed)
    return RaggedIds.from_lists([[*chooser.integers(3, VOCAB, length - 1).tolist(), END] for length in lengths])


@torch.no_grad()
def read(model, streams):
    model.reset()
    return torch.cat([model(*chunk.sides(both=True)) for chunk in streams])


@pytest.mark.parametrize("settings", [{}, {"cell": "gru", "tied": False}, {"overlap": 3}, {"cutoffs": "10"}])
@pytest.mark.parametrize("training", [False, True])
def test_what_is_known_of_a_word_does_not_depend_on_it(settings, training):
    """Bitwise, wherever in the chunk it stands, documents beginning and ending in mid-chunk; others do depend on it."""
    model, text = network(**settings), documents([11, 1, 7, 5, 16])

    def streams(ids):
        if training:
            generator = np.random.default_rng(0)
            options = {"batch_size": 3, "steps": 4, "jitter": False, "generator": generator}
            return training_streams(RaggedIds(ids, text.offsets), END, backward=False, **options)
        return whole_documents(RaggedIds(ids, text.offsets), END, batch_size=2, tokens=10)

    before = read(model, streams(text.ids))
    places = np.concatenate([streams(text.ids).places(i) for i in range(len(streams(text.ids)))])
    for place in range(len(text.ids)):
        ids = text.ids.copy()
        ids[place] = 3 + (ids[place] - 2) % (VOCAB - 3)
        assert ids[place] != text.ids[place]
        after, same = read(model, streams(ids)), torch.from_numpy(places == place)
        assert torch.equal(before[same], after[same])
        length = text.lengths[np.searchsorted(text.offsets, place, "right") - 1]
        assert torch.equal(before, after) == (length == 1)


def test_a_document_is_read_the_same_whatever_stands_around_it():
    """In one chunk: alone, beside others, and behind and before others in one stream."""
    model, text = network(), documents([11, 1, 7, 5, 16])
    alone = torch.cat(
        [read(model, whole_documents(text.select(np.array([i])), END))[:, 0] for i in range(len(text.lengths))]
    )
    for batch_size in (1, 2, 5):
        streams = whole_documents(text, END, batch_size=batch_size)
        assert len(streams) == 1
        places = torch.from_numpy(streams.places(0))
        together = torch.empty_like(alone)
        together[places[places >= 0]] = read(model, streams)[places >= 0]
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_the_left_side_is_carried_from_chunk_to_chunk_and_the_right_ends_a_word_behind():
    model, text = network(), documents([12])
    changed = RaggedIds(text.ids.copy(), text.offsets)
    changed.ids[0] = 3 + (text.ids[0] - 2) % (VOCAB - 3)
    first, second = (read(model, whole_documents(ids, END, tokens=4))[:, 0] for ids in (text, changed))
    assert not (first == second).all(1)[1:].any()  # known to the end of the document
    changed.ids[:] = text.ids
    changed.ids[8] = 3 + (text.ids[8] - 2) % (VOCAB - 3)
    second = read(model, whole_documents(changed, END, tokens=4))[:, 0]
    assert (first == second).all(1).tolist()[:9] == [True] * 4 + [False] * 4 + [True]


def test_it_learns_words_that_only_one_side_tells():
    """Name and colour follow from what comes after them, food from what comes before."""
    chooser = np.random.default_rng(0)
    draws = chooser.integers(0, 4, (200, 2)).tolist()
    text = RaggedIds.from_lists([[3 + n, 19, 7 + n, 20, 11 + c, 19, 15 + c, END] for n, c in draws])
    settings = {**PLAIN, "num_layers": 1, "embedding_dim": 32, "hidden_size": 32}
    config = resolve(objective="fill", epochs=25, batch_size=4, bptt=20, learning_rate=0.02, **settings)
    torch.manual_seed(0)
    model = build_network(config, VOCAB)
    Trainer(model, LanguageTask(text, text, config), config.training).fit()
    total, count = negative_log_likelihood(model, text)
    assert total / count < 0.05 < 0.3 < 2 * np.log(4) / 8  # the least that one side alone could reach


@pytest.mark.parametrize("tied", [True, False])
def test_saved_and_loaded_it_is_the_same(tmp_path, tied):
    tokenizer = TextTokenizer.fit([" ".join(f"w{i}" for i in range(VOCAB - 3))], generative=True)
    config = resolve(objective="fill", tied=tied, **PLAIN)
    model = TrainedLanguageModel(config, tokenizer, network(tied=tied))
    save(model, tmp_path / "model")
    again, text = load(tmp_path / "model"), documents([9, 4])
    assert again.network.bidirectional and again.config == config
    streams = whole_documents(text, END)
    assert torch.equal(read(model.network, streams), read(again.network, streams))
    assert negative_log_likelihood(model.network, text) == negative_log_likelihood(again.network, text)


def test_tied_halves_need_an_even_width():
    with pytest.raises(UsageError, match=r"\(the objective fill\) need an even embedding_dim, .*, got 7$"):
        LanguageModel(20, embedding_dim=7, hidden_size=5, tied=True, bidirectional=True)
    LanguageModel(20, embedding_dim=7, hidden_size=5, tied=False, bidirectional=True)
