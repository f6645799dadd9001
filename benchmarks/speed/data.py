"""The same numbers for every peer: weights, inputs, lengths and output gradients from the seed, torch's layouts."""

import numpy as np
from cases import GATES, TEXTS, VOCABULARY, Case

SEED = 20
Arrays = dict[str, np.ndarray]


def _uniform(rng: np.random.Generator, bound: float, *shape: int) -> np.ndarray:
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def weights(case: Case, perturb: bool = False) -> Arrays:
    """weight_ih_l0 [G * H, E], weight_hh_l0 [G * H, H], bias_ih_l0 and bias_hh_l0 [G * H], and `.._reverse` of these.

    Uniform in +-1 / sqrt(H), as torch starts them. `perturb` changes one number, for which a check has to fail.
    """
    rng = np.random.default_rng((SEED, 0))
    rows, bound = GATES[case.cell] * case.hidden, case.hidden**-0.5
    result = {}
    for suffix in ("", "_reverse") if case.bidirectional else ("",):
        for name, shape in (("ih", (rows, case.inputs)), ("hh", (rows, case.hidden))):
            result[f"weight_{name}_l0{suffix}"] = _uniform(rng, bound, *shape)
        for name in ("ih", "hh"):
            result[f"bias_{name}_l0{suffix}"] = _uniform(rng, bound, rows)
    if perturb:
        result["weight_hh_l0"][0, 0] += 0.05
    return result


def lengths(case: Case) -> np.ndarray:
    """[B] int64, in no order. Log-normal, median 208, sigma 0.5, cut at 400.

    For B = 64: mean 213.0, quartiles 164, 201 and 268, shortest 80, five of length 400.
    """
    if not case.ragged:
        return np.full(case.batch, case.steps)
    drawn = 208 * np.exp(0.5 * np.random.default_rng(156).standard_normal(case.batch))
    return np.clip(np.rint(drawn), 1, case.steps).astype(np.int64)


def _masked(case: Case, values: np.ndarray) -> np.ndarray:
    real = np.arange(case.steps) < lengths(case)[:, None]
    return values * real[:, :, None].astype(np.float32)


def inputs(case: Case) -> np.ndarray:
    """[B, T, E] float32, normal, 0 beyond a row's length."""
    drawn = np.random.default_rng((SEED, 1)).standard_normal((case.batch, case.steps, case.inputs), np.float32)
    return _masked(case, drawn)


def output_gradient(case: Case) -> np.ndarray:
    """[B, T, D * H] float32, normal, 0 beyond a row's length: nothing hangs on what a layer writes there."""
    width = case.hidden * (2 if case.bidirectional else 1)
    drawn = np.random.default_rng((SEED, 2)).standard_normal((case.batch, case.steps, width), np.float32)
    return _masked(case, drawn)


def tutorial_weights(case: Case, perturb: bool = False) -> Arrays:
    """`weights` and embedding [V, E], dense_weight [1, H], dense_bias [1].

    The word vectors are as wide as +-1, for the outputs to hang on every weight; Keras starts at +-0.05.
    """
    rng = np.random.default_rng((SEED, 3))
    return weights(case, perturb) | {
        "embedding": _uniform(rng, 1.0, VOCABULARY, case.inputs),
        "dense_weight": _uniform(rng, 0.4, 1, case.hidden),
        "dense_bias": np.zeros(1, np.float32),
    }


def texts(case: Case, batches: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `batches` of the job's 20,000 texts: ids [batches * B, T] int32 and labels [batches * B] float32."""
    rng = np.random.default_rng((SEED, 4))
    rows = min(batches * case.batch, TEXTS)
    ids = rng.integers(0, VOCABULARY, (rows, case.steps), dtype=np.int32)
    return ids, rng.integers(0, 2, rows).astype(np.float32)
