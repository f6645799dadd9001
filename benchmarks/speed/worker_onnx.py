"""Worker of ONNX Runtime: the operator of the cell in a graph of its own, inference only."""

import data
import numpy as np
import onnx
import onnxruntime
from cases import GATES, Case
from onnx import TensorProto, helper, numpy_helper
from server import Job, Request, serve

OPERATORS = {"rnn": ("RNN", {}), "lstm": ("LSTM", {}), "gru": ("GRU", {"linear_before_reset": 1})}
GATE_ORDER = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}  # ONNX's i o f c and z r h in torch's i f g o, r z n
STATES = {"rnn": ("h",), "lstm": ("h", "c"), "gru": ("h",)}


def gates(case: Case, weight: np.ndarray) -> np.ndarray:
    """[G * H, ..] with the gates in ONNX's order."""
    parts = np.split(weight, GATES[case.cell])
    return np.concatenate([parts[gate] for gate in GATE_ORDER[case.cell]])


def model(case: Case, weights: data.Arrays, steps: int) -> bytes:
    """x [B, steps, E] -> output [B, steps, H] and final states; with `steps` = 1 it also takes initial states.

    The operator is time-major (ONNX Runtime's has no other layout), so batch-first tensors are transposed in the graph.
    """
    w, r, b_w, b_r = (gates(case, weights[f"{name}_l0"]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    constants = {"W": w[None], "R": r[None], "B": np.concatenate([b_w, b_r])[None]}
    operator, attributes = OPERATORS[case.cell]
    state_shape = [1, case.batch, case.hidden]
    initial = [f"{state}_0" for state in STATES[case.cell]] if steps == 1 else []
    final = [f"{state}_n" for state in STATES[case.cell]]
    nodes = [
        helper.make_node("Transpose", ["x"], ["x_time_major"], perm=[1, 0, 2]),
        helper.make_node(
            operator,
            ["x_time_major", "W", "R", "B", *([""] if initial else []), *initial],
            ["directions", *final],
            hidden_size=case.hidden,
            **attributes,
        ),
        helper.make_node("Squeeze", ["directions", "axis"], ["output_time_major"]),
        helper.make_node("Transpose", ["output_time_major"], ["output"], perm=[1, 0, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        case.cell,
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [case.batch, steps, case.inputs]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, state_shape) for name in initial),
        ],
        [
            helper.make_tensor_value_info("output", TensorProto.FLOAT, [case.batch, steps, case.hidden]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, state_shape) for name in final),
        ],
        [numpy_helper.from_array(value, name) for name, value in (constants | {"axis": np.array([1])}).items()],
    )
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(result)
    return result.SerializeToString()


def session(request: Request, steps: int) -> onnxruntime.InferenceSession:
    """All threads within an operator, default optimisations; its threads spin within a run and not after it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request.threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    weights = data.weights(request.case, request.perturb)
    return onnxruntime.InferenceSession(
        model(request.case, weights, steps), options, providers=["CPUExecutionProvider"]
    )


def prepare(request: Request) -> Job:
    case = request.case
    return steps_job(request) if case.group == "step" else sequence_job(request)


def results(output: np.ndarray, final: list[np.ndarray]) -> data.Arrays:
    return {"output": output} | {"final" + "_c" * i: state for i, state in enumerate(final)}


def sequence_job(request: Request) -> Job:
    run = session(request, request.case.steps).run
    feeds = {"x": data.inputs(request.case)}

    def arrays() -> data.Arrays:
        output, *final = run(None, feeds)
        return results(output, final)

    return Job(lambda: run(None, feeds), arrays)


def steps_job(request: Request) -> Job:
    case = request.case
    run = session(request, 1).run
    x = data.inputs(case)
    pieces = [np.ascontiguousarray(x[:, t : t + 1]) for t in range(case.steps)]
    names = [f"{state}_0" for state in STATES[case.cell]]
    zeros = [np.zeros((1, case.batch, case.hidden), np.float32) for _ in names]

    def call() -> tuple[list[np.ndarray], list[np.ndarray]]:
        state, outputs = zeros, []
        for piece in pieces:
            output, *state = run(None, {"x": piece, **dict(zip(names, state, strict=True))})
            outputs.append(output)
        return outputs, state

    def arrays() -> data.Arrays:
        outputs, final = call()
        return results(np.concatenate(outputs, 1), final)

    return Job(call, arrays, {"step": "session of T = 1"})


if __name__ == "__main__":
    serve(prepare, lambda: {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__})
