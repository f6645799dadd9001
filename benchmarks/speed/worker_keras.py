"""Worker of Keras, on the backend that KERAS_BACKEND names: the tutorial job by `model.fit`."""

from importlib import import_module

import data
import keras
import numpy as np
from cases import GATES, VOCABULARY, Case
from server import Job, Request, serve

LAYERS = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
GATE_ORDER = {"rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}  # Keras's z r h in torch's r z n, and back
SCALE = 1024.0  # of the step by which gradients are read off: large, so that little is lost in the difference


def gates(case: Case, weight: np.ndarray) -> np.ndarray:
    """[G * H, ..] with the gates in Keras's order, or from it: the exchange of two is its own inverse."""
    parts = np.split(weight, GATES[case.cell])
    return np.concatenate([parts[gate] for gate in GATE_ORDER[case.cell]])


def to_keras(case: Case, weights: data.Arrays) -> list[np.ndarray]:
    """Model weights in Keras's order: embedding, the layer's, dense.

    The layer's are kernel [E, G * H], recurrent kernel [H, G * H] and bias: [2, G * H] for the GRU, for the others
    [G * H], the sum of torch's two.
    """
    named = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    w, r, b_w, b_r = (gates(case, weights[name]) for name in named)
    bias = np.stack([b_w, b_r]) if case.cell == "gru" else b_w + b_r
    recurrent = [np.ascontiguousarray(w.T), np.ascontiguousarray(r.T), bias]
    return [weights["embedding"], *recurrent, weights["dense_weight"].T, weights["dense_bias"]]


def from_keras(case: Case, values: list[np.ndarray]) -> data.Arrays:
    """Gradients in torch's layout; that of a sum is that of each term."""
    embedding, w, r, bias, dense_weight, dense_bias = values
    b_w, b_r = bias if case.cell == "gru" else (bias, bias)
    named = {"weight_ih_l0": w.T, "weight_hh_l0": r.T, "bias_ih_l0": b_w, "bias_hh_l0": b_r}
    result = {f"d{name}": gates(case, value) for name, value in named.items()}
    return result | {"dembedding": embedding, "ddense_weight": dense_weight.T, "ddense_bias": dense_bias}


def prepare(request: Request) -> Job:
    """Everything by Keras's defaults, `jit_compile="auto"` included."""
    case = request.case
    if keras.backend.backend() == "tensorflow":
        use_threads(request.threads)
    model = keras.Sequential(
        [
            keras.Input((case.steps,), dtype="int32"),
            keras.layers.Embedding(VOCABULARY, case.inputs),
            LAYERS[case.cell](case.hidden),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    weights = to_keras(case, data.tutorial_weights(case, request.perturb))
    ids, labels = data.texts(case, request.batches)
    model.set_weights(weights)

    def arrays() -> data.Arrays:
        """Probabilities of the first batch and the gradient of its loss, as the change that one plain step makes."""
        first = ids[: case.batch], labels[: case.batch]
        output = model.predict_on_batch(first[0])[:, 0]
        model.compile(keras.optimizers.SGD(SCALE), "binary_crossentropy")
        model.train_on_batch(*first)
        gradients = [(old - new) / SCALE for old, new in zip(weights, model.get_weights(), strict=True)]
        model.set_weights(weights)
        model.compile(keras.optimizers.RMSprop(1e-3), "binary_crossentropy")
        return {"output": np.asarray(output)} | from_keras(case, gradients)

    def call() -> object:
        return model.fit(ids, labels, batch_size=case.batch, verbose=0)

    model.compile(keras.optimizers.RMSprop(1e-3), "binary_crossentropy")
    return Job(call, arrays, {"batches": request.batches, "loop": "model.fit", "jit_compile": model.jit_compile})


def use_threads(threads: int) -> None:
    """TensorFlow's pool; JAX's takes the processors the coordinator leaves to the worker."""
    import tensorflow

    if tensorflow.config.threading.get_intra_op_parallelism_threads() != threads:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)


def versions() -> dict[str, object]:
    backend = keras.backend.backend()
    return {"keras": keras.__version__, backend: import_module(backend).__version__}


if __name__ == "__main__":
    serve(prepare, versions)
