"""The information-flow regulariser over what a sweep of the kernels has recorded."""

from collections.abc import Sequence

import torch
from torch import Tensor

from . import ragged
from .gemm import matmul
from .reference.time import SMALLEST_FLOW


def information_flow(
    dproduct: Tensor,
    doutput: Tensor | None,
    arrived: Sequence[Tensor | None],
    batch_sizes: Tensor,
    reverse: bool,
    mask: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Omega and its immediate derivative to weight_hh, as `reference.time.back_propagate` defines them.

    Args:
        dproduct: [N, G*H] gradient of the recurrent product.
        arrived: [N, H] each, what came to h (and c) from later steps.
    """
    later = ragged.later_elements(batch_sizes, reverse)
    here = (later >= 0).nonzero()[:, 0]
    later = later[here]
    kept = [a for a in arrived if a is not None]
    own = [kept[0] if doutput is None else kept[0] + doutput, *kept[1:]]

    def joint_norm(parts: list[Tensor], elements: Tensor) -> Tensor:
        norms = [torch.linalg.vector_norm(part, dim=1, dtype=torch.float64)[elements] for part in parts]
        joint: Tensor = torch.stack(norms).norm(dim=0)
        return joint

    after, before = joint_norm(kept, here), joint_norm(own, later)
    counted = (after > SMALLEST_FLOW) & (before > SMALLEST_FLOW)
    here, later, after, before = here[counted], later[counted], after[counted], before[counted]
    excess = after / before - 1
    share = (2 * excess / (before * after) / max(1, len(here))).to(dproduct.dtype)
    entering = kept[0][here]
    if mask is not None:
        entering = entering * mask[ragged.rows_and_steps(batch_sizes)[0][here]]
    omega = excess.square().sum() / max(1, len(here))
    of_weight = matmul((dproduct[later] * share[:, None]).t(), entering)
    return omega.to(dproduct.dtype), of_weight
