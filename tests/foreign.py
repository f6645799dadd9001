"""A model as people write it in torch.nn, with nothing of ours in it, and what it reads."""

import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence


class Tagger(torch.nn.Module):
    """What people write: nothing of ours in it."""

    def __init__(self, name="LSTM", dtype=torch.float64, **options):
        super().__init__()
        torch.manual_seed(3)
        self.enter = torch.nn.Linear(4, 5, dtype=dtype)
        self.recurrent = getattr(torch.nn, name)(5, 6, dtype=dtype, **options)
        self.leave = torch.nn.LazyLinear(2, dtype=dtype)
        self.eval()(torch.zeros(3, 2, 4, dtype=dtype))
        self.train()

    def forward(self, x, hx=None):
        if isinstance(x, PackedSequence):
            output, state = self.recurrent(x._replace(data=self.enter(x.data)), hx)
            output = output.data
        else:
            output, state = self.recurrent(self.enter(x), hx)
        return self.leave(output), *(state if isinstance(state, tuple) else (state,))


def inputs(form, dtype=torch.float64, batch_first=False):
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(5), dtype=dtype)
    if form == "unbatched":
        return x
    x = torch.stack([x, x.flip(0), x * 2])
    if form == "packed":
        return pack_padded_sequence(x, torch.tensor([4, 7, 1]), batch_first=True, enforce_sorted=False)
    return x if batch_first else x.transpose(0, 1)
