"""What a recurrent call may have beside its weights: regularisation in the recurrence, and how its gradient travels."""

from typing import NamedTuple

from torch import Tensor

NO_SECOND_DERIVATIVE = "a gradient that is truncated, clipped, regularised or recorded has no second derivative"


class Options(NamedTuple):
    """
    bptt_truncate: how many steps before its own each output's loss travels back; None for all, 0 for none.
    mask: [B, H] multiplies h before it enters the recurrent product (variational dropout, Gal & Ghahramani 2016,
        eq. 7).
    zoneout: [N, H] for each state, the share of the old value that a unit keeps (Krueger et al. 2017, eq. 4).
    clip: largest absolute element of the gradient that is handed one step back to h; 0 for no limit.
    flow: weight of the regulariser Omega (Pascanu, Mikolov & Bengio 2013, eq. 9), whose immediate derivative is added
        to the gradient of weight_hh; see `elman.ops.reference.time`.
    """

    bptt_truncate: int | None = None
    mask: Tensor | None = None
    zoneout: tuple[Tensor, ...] | None = None
    clip: float = 0.0
    flow: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether torch's own operators can do without any of this."""
        return self == Options()

    @property
    def by_hand(self) -> bool:
        """Whether the gradient is another than the derivative of the output."""
        return self.bptt_truncate is not None or bool(self.clip or self.flow)
