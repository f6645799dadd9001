"""The leading Lyapunov exponent along the texts' own trajectories."""

import torch
from torch import Tensor

# Before it the gain still turns towards the direction that grows fastest; of the lags, a tenth.
BURN_IN = 0.1


def lyapunov_exponent(log_gains: Tensor) -> float | None:
    """Slope of the mean log gain per step, in nats: below 0 gradients die out, above 0 they grow.

    The norm of J_k grows as exp(k lambda) for large k (Oseledets 1968; Engelken, Wolf & Abbott 2023 for recurrent
    networks); the slope is that of a least-squares line over the lags that the longer half of the texts has, the first
    tenth left out. It is of these texts and of finite time.

    Args:
        log_gains: [T, b], of `jacobian_norms`.
    Returns:
        None with less than three lags; -inf if nothing is left at one of them.
    """
    lengths = (~log_gains.isnan()).sum(0)
    longer = log_gains[:, lengths >= lengths.median()]
    means = longer[~longer.isnan().any(1)].mean(1)
    means = means[int(BURN_IN * len(means)) :]
    if len(means) < 3:
        return None
    if not means.isfinite().all():
        return -torch.inf
    lags = torch.arange(len(means), dtype=means.dtype)
    lags = lags - lags.mean()
    return float((lags * means).sum() / (lags**2).sum())
