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
    previous = ragged.later_elements(batch_sizes, not reverse)  # -1 at a row's first step
    kept = [a for a in arrived if a is not None]
    own = [kept[0] if doutput is None else kept[0] + doutput, *kept[1:]]

    def joint_norm(parts: list[Tensor]) -> Tensor:
        norms = [torch.linalg.vector_norm(part, dim=1, dtype=torch.float64) for part in parts]
        joint: Tensor = torch.stack(norms).norm(dim=0)
        return joint

    after, before = joint_norm(kept)[previous], joint_norm(own)
    counted = (previous >= 0) & (after > SMALLEST_FLOW) & (before > SMALLEST_FLOW)
    number = max(1, int(counted.sum()))
    excess = torch.where(counted, after / before - 1, 0)
    # What came is divided by its norm before it is multiplied: one factor of both would be beyond float32.
    direction = kept[0][previous] * torch.where(counted, 1 / after, 0).to(dproduct.dtype)[:, None]
    share = torch.where(counted, 2 * excess / before / number, 0)
    entering = direction * share.to(dproduct.dtype)[:, None]
    if mask is not None:
        entering *= mask[ragged.rows_and_steps(batch_sizes)[0]]
    return (excess.square().sum() / number).to(dproduct.dtype), matmul(dproduct.t(), entering)
