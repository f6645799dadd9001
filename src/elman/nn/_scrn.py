"""The structurally constrained recurrent network (Mikolov et al. 2015, arXiv 1412.7753)."""

import math
from typing import Any

import torch
from torch import Tensor

from .. import ops
from ..errors import UsageError
from ._arguments import check_size
from ._base import State
from ._layout import RaggedLayout
from ._states import SingleState


class SCRN(SingleState):
    """Slow context units s beside an Elman network of fast units h (section 3.2):

        s_t = (1 - decay) B x_t + decay s_(t-1)
        h_t = sigmoid(A x_t + P s_t + R h_(t-1) + b)

    Output and state are h and s side by side, H = F + C. Parameters: A `weight_ih_l0` [F, I], R `weight_hh_l0` [F, F],
    P `weight_ch_l0` [F, C], B `weight_ic_l0` [C, I], b `bias_ih_l0` [F].

    Said through two other cells, and so it runs where they do: s is a minGRU whose gate is a constant, and h is
    (1 + k) / 2 with k_t = tanh(A/2 x_t + P/2 s_t + R/4 k_(t-1) + b/2 + R/4 1), as sigmoid(a) = (1 + tanh(a/2)) / 2.

    Args:
        hidden_size: H, fast and slow units together.
        context_size: C; default a quarter of H, and at least 1.
        others: as `elman.nn.Recurrent`, without bptt_truncate, which would count steps in s and h apart, and
            recurrent_dropout; zoneout is on h, as s keeps its share anyway.
    Raises:
        UsageError: a context that leaves no fast unit, or is none.
    """

    cell = "rnn_tanh"
    own_options = ("context_size",)
    is_cell_alone = False
    decay = 0.95  # the paper's

    def __init__(
        self, input_size: int, hidden_size: int, *args: Any, context_size: int | None = None, **kwargs: Any
    ) -> None:
        check_size("hidden_size", hidden_size)
        if hidden_size == 1:
            raise UsageError("SCRN needs a fast and a slow unit: expected a hidden_size of at least 2, got 1")
        self.context_size = max(1, hidden_size // 4) if context_size is None else context_size
        if not 1 <= self.context_size < hidden_size:
            raise UsageError(f"context_size must be at least 1 and below {hidden_size}, got {self.context_size}")
        super().__init__(input_size, hidden_size, *args, **kwargs)

    def _check_regularisation(self) -> None:
        super()._check_regularisation()
        for name in ("bptt_truncate", "recurrent_dropout"):
            self._only_if(False, name, "other cells")

    def _sizes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        slow, fast = self.context_size, self.hidden_size - self.context_size
        sizes: dict[str, tuple[int, ...]] = {
            "weight_ih": (fast, input_size),
            "weight_hh": (fast, fast),
            "weight_ch": (fast, slow),
            "weight_ic": (slow, input_size),
        }
        return sizes | ({"bias_ih": (fast,)} if self.bias else {})

    def _direction(
        self, data: Tensor, layout: RaggedLayout, states: list[State], layer: int, reverse: bool
    ) -> tuple[Tensor, list[State]]:
        suffix = self.suffixes(layer)[reverse]
        names = ("weight_ih", "weight_hh", "weight_ch", "weight_ic")
        of_input, of_fast, of_slow, into_slow = (getattr(self, name + suffix) for name in names)
        sizes = [self.hidden_size - self.context_size, self.context_size]
        h_0, s_0 = states[0][0].split(sizes, dim=1)
        options = self._options(data, (h_0,))

        gate = into_slow.new_full((sizes[1],), math.log(1 / self.decay - 1))
        blend = ops.Weights(
            torch.cat([torch.zeros_like(into_slow), into_slow]), bias_ih=torch.cat([gate, torch.zeros_like(gate)])
        )
        slow_options = options._replace(zoneout=None, flow=0.0)
        context, (s_n,) = ops.recurrent(
            "min_gru", data, layout.batch_sizes, (s_0,), blend, reverse=reverse, options=slow_options
        )
        of_fast = self._dropped_weights(ops.Weights(of_input, of_fast)).weight_hh
        assert of_fast is not None
        centre = of_fast.sum(1) / 4
        elman = ops.Weights(
            torch.cat([of_input, of_slow], 1) / 2,
            of_fast / 4,
            getattr(self, "bias_ih" + suffix) / 2 + centre if self.bias else centre,
            torch.zeros_like(centre),
        )
        fast_options = options._replace(clip=options.clip / 2)  # k moves twice as far as h
        k, (k_n,) = ops.recurrent(
            "rnn_tanh",
            torch.cat([data, context], 1),
            layout.batch_sizes,
            (2 * h_0 - 1,),
            elman,
            reverse=reverse,
            options=fast_options,
        )
        return torch.cat([(1 + k) / 2, context], 1), [(torch.cat([(1 + k_n) / 2, s_n], 1),)]
