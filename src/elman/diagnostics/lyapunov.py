"""The leading Lyapunov exponent along the texts' own trajectories."""

import torch
from torch import Tensor

# Before it the gain still turns towards the direction that grows fastest; of the lags, a tenth.
BURN_IN = 0.1


def lyapunov_exponent(log_gains: Tensor) -> float | None:
    """Slope of the mean log gain per step, in nats: below 0 gradients die out, above 0 they grow.

    The norm of J_k grows as exp(k lambda) for large k (Oseledets 1968; Engelken, Wolf & Abbott 2023 for recurrent
    networks); the slope is that of a least-squares line over the lags that all swept texts have, the first tenth left
    out. It is of these texts and of finite time.

    Args:
        log_gains: [T, b], of `jacobian_norms`.
    Returns:
        None with less than three lags; -inf if nothing is left at one of them.
    """
    common = log_gains[~log_gains.isnan().any(1)].mean(1)
    skipped = int(BURN_IN * len(common))
    common = common[skipped:]
    if len(common) < 3:
        return None
    if not common.isfinite().all():
        return -torch.inf
    lags = torch.arange(len(common), dtype=common.dtype)
    lags = lags - lags.mean()
    return float((lags * common).sum() / (lags**2).sum())
