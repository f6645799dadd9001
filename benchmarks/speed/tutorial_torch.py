"""The tutorial job as a loop in torch; the recurrent layer is given."""

import data
import torch
from cases import VOCABULARY
from server import Job, Request
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

# Keras's RMSprop: same rate, decay and epsilon (which Keras adds under the root; nothing in the cost).
RMSPROP = {"lr": 1e-3, "alpha": 0.9, "eps": 1e-7}


class Classifier(torch.nn.Module):
    """Embedding, recurrent layer, its last output, one sigmoid unit."""

    def __init__(self, recurrent: torch.nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, recurrent.input_size, dtype=dtype)
        self.recurrent = recurrent
        self.dense = torch.nn.Linear(recurrent.hidden_size, 1, dtype=dtype)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [B, T] -> probabilities [B]."""
        output, _ = self.recurrent(self.embedding(ids))
        return torch.sigmoid(self.dense(output[:, -1]))[:, 0]


def tutorial(request: Request, recurrent: torch.nn.Module, dtype: torch.dtype) -> Job:
    case = request.case
    model = Classifier(recurrent, dtype)
    weights = data.tutorial_weights(case)
    with torch.no_grad():
        model.embedding.weight.copy_(torch.from_numpy(weights["embedding"]))
        model.dense.weight.copy_(torch.from_numpy(weights["dense_weight"]))
        model.dense.bias.copy_(torch.from_numpy(weights["dense_bias"]))
    ids, labels = map(torch.from_numpy, data.texts(case, request.batches))
    labels = labels.to(dtype)
    optimizer = torch.optim.RMSprop(model.parameters(), **RMSPROP)

    def call() -> float:
        total = 0.0
        for rows in torch.randperm(len(ids)).split(case.batch):
            optimizer.zero_grad()
            loss = binary_cross_entropy(model(ids[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total

    def arrays() -> data.Arrays:
        """Probabilities of the first batch and the gradient of its loss by every weight."""
        output = model(ids[: case.batch])
        binary_cross_entropy(output, labels[: case.batch]).backward()
        names = {"embedding.weight": "embedding", "dense.weight": "dense_weight", "dense.bias": "dense_bias"}
        gradients = {names.get(n, n.removeprefix("recurrent.")): p.grad for n, p in model.named_parameters()}
        return {"output": output.detach().numpy()} | {f"d{name}": g.numpy() for name, g in gradients.items()}

    return Job(call, arrays, {"batches": request.batches})
