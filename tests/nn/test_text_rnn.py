"""TextRNN against a plain computation, text by text; padding, order and batch do not matter."""

import pytest
import torch

from elman.nn import CELLS, GRU, LSTM, MERGES, POOLINGS, RNN, TextRNN
from tolerances import close

TEXTS = [[3, 4, 5, 6, 7], [8], [], [9, 2, 9]]


def batch(texts):
    longest = max(len(t) for t in texts)
    ids = torch.tensor([t + [0] * (longest - len(t)) for t in texts])
    return ids, torch.tensor([len(t) for t in texts])


def build(**options):
    torch.manual_seed(0)
    return TextRNN(12, 3, embedding_dim=4, hidden_size=5, **options).eval()


def run_alone(recurrent, vectors):
    """Output [T, D * H] and newest h [D * H] of one text: by torch.nn's layer, or ours where torch has none."""
    theirs = {RNN: torch.nn.RNN, LSTM: torch.nn.LSTM, GRU: torch.nn.GRU}.get(type(recurrent))
    if theirs is None:
        output, final = recurrent(vectors)
        finals = final if isinstance(final, tuple) else (final,)
        return output, recurrent.last(tuple(state.unsqueeze(1) for state in finals))[0]
    options = {"nonlinearity": recurrent.nonlinearity} if theirs is torch.nn.RNN else {}
    layer = theirs(4, 5, recurrent.num_layers, bidirectional=recurrent.bidirectional, **options)
    layer.load_state_dict(recurrent.state_dict())
    output, final = layer(vectors)
    h_n = final[0] if isinstance(final, tuple) else final
    return output, torch.cat(h_n[-2:].unbind() if recurrent.bidirectional else [h_n[-1]])


def pooled_by_hand(model, text):
    """The pooled vector of one non-empty text, without batch or ragged layout."""
    output, last = run_alone(model.recurrent, model.embedding(torch.tensor(text)))

    def merged(forward, backward):
        return {
            "concat": lambda: torch.cat([forward, backward], -1),
            "sum": lambda: forward + backward,
            "mean": lambda: (forward + backward) / 2,
            "product": lambda: forward * backward,
        }[model.merge]()

    if model.recurrent.bidirectional:
        output, last = merged(output[:, :5], output[:, 5:]), merged(last[:5], last[5:])
    if model.pooling.kind == "attention":
        return (torch.softmax(model.pooling.score(output)[:, 0], 0)[:, None] * output).sum(0)
    return {
        "last": lambda: last,
        "mean": lambda: output.mean(0),
        "max": lambda: output.max(0)[0],
        "mean+max": lambda: torch.cat([output.mean(0), output.max(0)[0]]),
        "last+mean+max": lambda: torch.cat([last, output.mean(0), output.max(0)[0]]),
    }[model.pooling.kind]()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("merge", [*MERGES, None])
@pytest.mark.parametrize("cell", CELLS)
def test_equals_the_computation_by_hand(cell, merge, pooling):
    model = build(cell=cell, pooling=pooling, num_layers=2, bidirectional=merge is not None, merge=merge or "concat")
    logits = model(*batch(TEXTS))
    for text, row in zip(TEXTS, logits, strict=True):
        if text:
            close(row, model.output(pooled_by_hand(model, text)), kind="classifier")
        else:
            close(row, model.output.bias, kind="classifier")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_extra_padding_and_other_rows_change_nothing(pooling):
    model = build(pooling=pooling)
    ids, lengths = batch(TEXTS)
    wider = torch.cat([ids, torch.full((4, 6), 11)], dim=1)
    close(model(wider, lengths), model(ids, lengths), kind="classifier")
    for row in range(4):
        close(model(ids[row : row + 1], lengths[row : row + 1])[0], model(ids, lengths)[row], kind="classifier")


def test_attention_survives_large_scores():
    model = build(pooling="attention")
    with torch.no_grad():
        model.pooling.score[2].weight.mul_(1e4)
    assert torch.isfinite(model(*batch(TEXTS))).all()


def test_dropouts_act_in_training_only_and_every_parameter_learns():
    model = build(pooling="attention", embedding_dropout=0.3, word_dropout=0.3, dropout=0.3)
    ids, lengths = batch(TEXTS)
    assert torch.equal(model(ids, lengths), model(ids, lengths))
    model.train()
    assert not torch.equal(model(ids, lengths), model(ids, lengths))
    model(ids, lengths).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_word_dropout_puts_the_unknown_id_in_place():
    model = build(word_dropout=0.999999, dropout=0.0, unk_id=1).train()
    close(model(torch.tensor([[3, 4, 5]])), model.eval()(torch.tensor([[1, 1, 1]])), kind="classifier")


def test_embedding_dropout_is_the_same_along_a_text():
    model = build(embedding_dropout=0.5, dropout=0.0, pooling="max").train()
    seen = []
    original = model.recurrent._sequence
    model.recurrent._sequence = lambda border, hx: seen.append(border.data) or original(border, hx)
    model(torch.tensor([[3, 4, 5, 6]]))
    zero = seen[0] == 0
    assert zero.any() and (zero == zero[0]).all()
