"""A classifier that starts from a language model: same reading, own rates, and never a text that was held out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import elman
from conftest import make_reviews
from elman import classify, language
from elman.classify import fine_tune
from elman.classify.batches import Encoded
from elman.classify.config import resolve
from elman.classify.diagnose import diagnose_split
from elman.classify.model import build_network
from elman.classify.split import Split
from elman.classify.task import ClassificationTask, Labelled
from elman.errors import ModelFolderError, UsageError
from elman.labels import class_numbers
from elman.nn import BothWays, TextRNN
from elman.report import write_diagnosis
from elman.text import RaggedIds, TextTokenizer

TEXTS, LABELS = make_reviews(60, ("bad", "good"))
SMALL = {"embedding_dim": 6, "hidden_size": 7, "epochs": 1, "batch_size": 4, "bptt": 9, "min_count": 1}


def pretrained(folder, **settings):
    config = language.resolve(**{**SMALL, **settings})
    return language.pretrain([], folder, config, at_hand=TEXTS).fitted.model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return pretrained(tmp_path_factory.mktemp("lm") / "forward")


@pytest.fixture(scope="module")
def backward(tmp_path_factory):
    return pretrained(tmp_path_factory.mktemp("lm") / "backward", direction="backward", num_layers=1, tied=False)


def network_of(model, **settings):
    config = fine_tune.adopt([model], resolve("fine-tuned", **settings))
    network = build_network(config, model.tokenizer.vocab_size, 2, model.tokenizer.end_id)
    fine_tune.start_from(network, [model])
    return network.eval(), config


@pytest.mark.parametrize("kind", ["model", "backward"])
def test_it_reads_as_the_language_model_does(kind, request):
    model = request.getfixturevalue(kind)
    network, config = network_of(model, pooling="last")
    network.output = torch.nn.Identity()
    classifier = classify.model.Classifier(config, np.array(["a", "b"]), model.tokenizer, network)
    text = TEXTS[0]
    ids = model.tokenizer.encode([text]).ids.tolist()
    read = [model.tokenizer.end_id, *(ids if kind == "model" else ids[::-1])]
    model.network.reset()
    with torch.no_grad():
        expected = model.network(torch.tensor(read)[:, None])[-1]
        read = classifier.encode([text]).batch(np.array([0])).ids
        found = network(read, features=torch.randn(len(read.data), network.feature_dim))  # as yet without weight
    model.network.reset()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "min_gru", "dilated_lstm", "clockwork"])
@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("bptt", [1, 2, 5, 40])
def test_chunks_read_what_the_whole_reads(cell, stacked, bptt):
    torch.manual_seed(0)
    sizes = {"hidden_sizes": [5, 4]} if stacked else {"hidden_size": 5, "num_layers": 2}
    network = TextRNN(30, 3, embedding_dim=4, cell=cell, bidirectional=False, pooling="last+mean+max", **sizes).eval()
    ids, lengths = torch.randint(30, (6, 9)), [9, 0, 5, 9, 1, 4]
    whole = network(ids, lengths)
    network.bptt = bptt
    torch.testing.assert_close(network(ids, lengths), whole)


@pytest.mark.parametrize("bptt", [3, 4])
def test_the_gradient_stays_in_its_chunk(bptt):
    torch.manual_seed(0)
    network = TextRNN(30, 2, embedding_dim=4, hidden_size=5, bidirectional=False, pooling="last", bptt=bptt).eval()
    ids = torch.arange(10)[None]
    network(ids, [10])[0, 0].backward()
    reached = network.embedding.weight.grad[:10].abs().sum(1) > 0
    assert reached.tolist() == [place >= 10 - (10 % bptt or bptt) for place in range(10)]


def classic(pooling):
    """A network that reads features, and texts with theirs."""
    torch.manual_seed(0)
    options = {"embedding_dim": 4, "hidden_size": 5, "bidirectional": False, "feature_dim": 3}
    network = TextRNN(30, 2, pooling=pooling, **options).eval()
    return network, torch.randint(30, (4, 7)), [7, 3, 0, 5], torch.randn(4, 7, 3)


def test_backward_is_forward_on_reversed_texts():
    network, ids, lengths, features = classic("mean+max")
    expected = network(ids, lengths, features)
    turned, features_turned = ids.clone(), features.clone()
    for row, length in enumerate(lengths):
        turned[row, :length] = ids[row, :length].flip(0)
        features_turned[row, :length] = features[row, :length].flip(0)
    network.backward = True
    torch.testing.assert_close(network(turned, lengths, features_turned), expected)


def test_what_begins_a_text_is_read_before_it_and_has_no_features():
    network, ids, lengths, features = classic("last+mean+max")
    longer = torch.cat([torch.full((4, 1), 29), ids], 1)
    with_none = torch.cat([torch.zeros(4, 1, 3), features], 1)
    expected = network(longer, [length + 1 for length in lengths], with_none)
    network.begin_id = 29
    torch.testing.assert_close(network(ids, lengths, features), expected)


def test_where_a_residual_connection_needs_equal_widths_there_are_no_features(tmp_path):
    model = pretrained(tmp_path / "lm", residual=True, hidden_size=6)
    _, config = network_of(model)
    assert not config.ngram_features


def test_both_ways_is_the_mean_of_two():
    torch.manual_seed(0)
    network = BothWays(30, 2, embedding_dim=4, hidden_sizes=[5, 4], bidirectional=False, begin_id=2).eval()
    ids, lengths = torch.randint(30, (4, 7)), [7, 3, 0, 5]
    forward = TextRNN(30, 2, embedding_dim=4, hidden_sizes=[5, 4], bidirectional=False, begin_id=2).eval()
    forward.load_state_dict({name: w for name, w in network.state_dict().items() if not name.startswith("other.")})
    assert network.other.backward and not network.backward
    two = torch.stack([forward(ids, lengths), network.other(ids, lengths)])
    torch.testing.assert_close(network.opinions(ids, lengths), two)
    torch.testing.assert_close(network(ids, lengths), two.mean(0))


def test_each_of_two_learns_from_a_loss_of_its_own():
    config = resolve("fine-tuned", ngrams=0, word_dropout=0.0)
    texts = Encoded(RaggedIds(np.array([5, 6, 7, 8, 9], np.int32), np.array([0, 3, 3, 5])))
    task = ClassificationTask(Labelled(texts, np.array([0, 1, 1])), None, 2, config)
    network = BothWays(30, 2, embedding_dim=4, hidden_size=5, bidirectional=False, begin_id=2, dropout=0.0)
    value, right, count = task.loss(network, np.array([2, 0, 1]))
    ids, _ = texts.batch(np.array([2, 0, 1]))
    both = network.opinions(ids)
    target = torch.tensor([1, 0, 1])
    alone = [torch.nn.functional.cross_entropy(each, target) for each in both]
    torch.testing.assert_close(value, (alone[0] + alone[1]) / 2)
    assert (right, count) == (int((both.mean(0).argmax(1) == target).sum()), 3)
    weights = list(network.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(value, weights), torch.autograd.grad((alone[0] + alone[1]) / 2, weights)
    )


def test_a_forward_and_a_backward_model_are_averaged(model, tmp_path):
    other = pretrained(tmp_path / "lm", direction="backward")
    classifier = elman.TextClassifier(pretrained=[other, model], epochs=2, unfreeze=True).fit(TEXTS, LABELS)
    network = classifier.classifier_.network
    assert isinstance(network, BothWays)
    assert torch.equal(network.embedding.weight, model.network.embedding.weight)  # as yet frozen
    assert torch.equal(network.other.embedding.weight, other.network.embedding.weight)
    classifier.save(tmp_path / "saved")
    again = elman.TextClassifier.load(tmp_path / "saved")
    assert np.array_equal(again.predict_proba(TEXTS), classifier.predict_proba(TEXTS))
    assert sum(layer.parameters for layer in classify.summary(tmp_path / "saved")) == sum(
        p.numel() for p in network.parameters()
    ) + sum(a.size for a in (classifier.classifier_.ngrams.weight, classifier.classifier_.ngrams.bias))


def test_two_models_that_do_not_fit_are_refused(model, backward, tmp_path):
    with pytest.raises(UsageError, match="a forward and a backward one, got forward, forward"):
        fine_tune.adopt([model, model], resolve("fine-tuned"))
    with pytest.raises(UsageError, match=r"hidden_sizes '7,6' of the forward and '7' of the backward one"):
        fine_tune.adopt([model, backward], resolve("fine-tuned"))
    same = language.resolve(**SMALL)
    for name, value in {"dilation": 2, "learn_state": True, "nonlinearity": "relu", "leak": "learned"}.items():
        changed = replace(model, config=replace(same, direction="backward", **{name: value}))
        with pytest.raises(UsageError, match=f"of the same layers, got {name} .* {value!r} of the backward one"):
            fine_tune.adopt([model, changed], resolve("fine-tuned"))
    other = pretrained(tmp_path / "lm", direction="backward", vocab_size=20)
    with pytest.raises(UsageError, match=r"forward model has a vocabulary of \d+ and the backward one another, of 20"):
        fine_tune.adopt([model, other], resolve("fine-tuned"))
    folded = TextTokenizer.fit(TEXTS, generative=True, normalization="fold")
    with pytest.raises(
        UsageError, match="normalization 'nfc' and the backward one 'fold': pretrain both with the same"
    ):
        fine_tune.adopt([model, replace(backward, tokenizer=folded)], resolve("fine-tuned"))
    tokenizers = (TextTokenizer.fit([text], generative=True) for text in ("a cat sat", "a dog sat"))
    pair = [replace(each, tokenizer=own) for each, own in zip((model, backward), tokenizers, strict=True)]
    with pytest.raises(UsageError, match="one another, of 6; only one of them has 'cat': pretrain both on the same"):
        fine_tune.adopt(pair, resolve("fine-tuned"))


@pytest.mark.parametrize("wrong", [{"backward": True}, {"bptt": 3}])
def test_two_directions_have_no_chunks_and_no_side(wrong):
    with pytest.raises(UsageError, match="one direction"):
        TextRNN(30, 2, **wrong)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vocab_size": 99}, r"vocab_size: the language model has \d+, got 99"),
        ({"normalization": "fold"}, "normalization: the language model has 'nfc', got 'fold'"),
        ({"tokenizer": "characters"}, "tokenizer: the language model has 'words', got 'characters'"),
        ({"hidden_size": 64}, "hidden_size: the language model has 7, got 64"),  # the usual value, but asked for
        ({"cell": "gru"}, "cell: the language model has 'lstm', got 'gru'"),
        ({"hidden_sizes": "3,4"}, "hidden_sizes: the language model has '7,6', got '3,4'"),
        ({"direction": "backward"}, "direction: the language model has 'forward', got 'backward'"),
    ],
)
def test_what_differs_from_the_language_model_is_refused_with_both(model, given, message):
    with pytest.raises(UsageError, match=message):
        elman.TextClassifier(pretrained=model, **given).fit(TEXTS, LABELS)


def test_a_model_that_fills_words_in_is_refused(tmp_path):
    filler = pretrained(tmp_path / "fill", objective="fill", tied=False)
    with pytest.raises(UsageError, match="objective fill"):
        fine_tune.adopt([filler], resolve("fine-tuned"))


def test_a_classifier_is_no_language_model(tmp_path):
    elman.TextClassifier(embedding_dim=4, hidden_size=3, epochs=1).fit(TEXTS, LABELS).save(tmp_path / "c")
    with pytest.raises(ModelFolderError, match="expected a language-model, got a text-classifier"):
        elman.TextClassifier(pretrained=tmp_path / "c").fit(TEXTS, LABELS)


def test_rates_fall_from_the_top_and_layers_thaw_from_the_top(model):
    network, _ = network_of(model)
    factor = fine_tune.rate_of(network, 0.5)
    names = ["output.weight", "recurrent.layers.1.weight_hh_l0", "recurrent.layers.0.bias_ih_l0", "embedding.weight"]
    assert [factor(name) for name in names] == [1.0, 0.5, 0.25, 0.125]
    thawing = fine_tune.GradualUnfreezing(network)
    parameters = dict(network.named_parameters())
    for epoch in range(1, 6):
        thawing.epoch_started(epoch, 0, 1)
        assert [parameters[name].requires_grad for name in names] == [epoch > place for place in range(4)]


def test_frozen_layers_stand_still_and_rates_reach_the_optimizer(model):
    settings = {"epochs": 1, "unfreeze": True, "average": 0.0, "patience": 0, "calibrate": False}
    tuned = elman.TextClassifier(pretrained=model, **settings).fit(TEXTS, LABELS).classifier_.network
    assert torch.equal(tuned.embedding.weight, model.network.embedding.weight)
    free = {**settings, "unfreeze": False, "optimizer": "sgd", "clip_norm": 0.0}
    moved = [
        (elman.TextClassifier(pretrained=model, layer_decay=decay, **free).fit(TEXTS, LABELS).classifier_.network)
        for decay in (1.0, 1e-6)
    ]
    change = [(network.embedding.weight - model.network.embedding.weight).abs().max().item() for network in moved]
    assert change[0] > 1e3 * change[1]


def test_saved_and_loaded_predicts_alike(model, tmp_path):
    classifier = elman.TextClassifier(pretrained=model, epochs=2).fit(TEXTS, LABELS)
    classifier.save(tmp_path / "saved")
    again = elman.TextClassifier.load(tmp_path / "saved")
    assert np.array_equal(again.predict_proba([*TEXTS, ""]), classifier.predict_proba([*TEXTS, ""]))


@pytest.mark.parametrize(
    "settings", [{}, {"bptt": 3}, {"unfreeze": True}, {"pooling": "last"}], ids=lambda given: "".join(given) or "plain"
)
@pytest.mark.parametrize("models", [["model"], ["backward"], ["model", "other"]], ids="-".join)
def test_each_token_has_its_own_shade(models, settings, request, tmp_path):
    start = [request.getfixturevalue(name) for name in models]
    found, trained = diagnosed(start, **settings)
    names = [f"{part}recurrent.layers.{n}.l0" for part in ("", "other.")[: len(models)] for n in range(2)]
    assert [layer["name"] for layer in found["layers"]] == (names[:1] if models == ["backward"] else names)
    for layer in found["layers"]:
        assert [len(heat) for heat in layer["heat"][:3]] == [len(example["tokens"]) for example in found["examples"]]
        assert layer["reverse"] == (models == ["backward"] or layer["name"].startswith("other."))
        if settings == {"pooling": "last"} and len(models) == 1:
            read_last = 0 if layer["reverse"] else -1
            assert all(heat[read_last] == max(heat) for heat in layer["heat"])
    write_diagnosis(found, tmp_path)
    page = (tmp_path / "diagnosis.html").read_text()
    assert ("Training cuts the texts into chunks of 3 steps" in page) == ("bptt" in settings)
    assert trained.bptt == settings.get("bptt", 0) and not trained.training


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return pretrained(tmp_path_factory.mktemp("lm") / "other", direction="backward")


def diagnosed(start, **settings):
    """What a diagnosis finds, and the network whose frozen parts are still frozen."""
    classifier = elman.TextClassifier(pretrained=start, epochs=1, ngrams=0, **settings).fit(TEXTS, LABELS).classifier_
    classifier.network.embedding.requires_grad_(False)
    trained = {name for name, p in classifier.network.named_parameters() if p.requires_grad}
    split = Split(TEXTS, class_numbers(LABELS, classifier.classes, "here"))
    found = diagnose_split(classifier, split, run="run", source="here", epochs=[])
    assert {name for name, p in classifier.network.named_parameters() if p.requires_grad} == trained
    return found, classifier.network
