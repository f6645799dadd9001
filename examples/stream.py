"""A stream read in chunks: the state carried over, documents that begin anywhere, and truncation to k2 steps.

The network hears numbers and says whether the sum since the document's start is positive; it reads 4 streams of 600
steps in chunks of 10, whose loss reaches 30 steps back.
"""

import torch

from elman.nn import GRU, Stateful

torch.manual_seed(0)
numbers = torch.randn(600, 4, 1)
starts = torch.rand(600, 4) < 0.02  # a document has about 50 numbers
total, targets = torch.zeros(4), []
for number, start in zip(numbers[:, :, 0], starts, strict=True):
    total = torch.where(start, number, total + number)
    targets.append(total > 0)
target = torch.stack(targets).float()

stream = Stateful(GRU(1, 16), overlap=20)  # k1 = 10, k2 = 30
readout = torch.nn.Linear(16, 1)
optimizer = torch.optim.Adam([*stream.parameters(), *readout.parameters()], 0.01)
for epoch in range(6):
    stream.reset()
    right = 0
    for at in range(0, 600, 10):
        output, _ = stream(numbers[at : at + 10], starts[at : at + 10])
        score = readout(output)[:, :, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(score, target[at : at + 10])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += ((score > 0) == (target[at : at + 10] > 0)).sum().item()
    print(f"epoch {epoch + 1}: {right / 2400:.3f} right")
print("carried in state_dict:", ", ".join(name for name in stream.state_dict() if not name.startswith("layer.")))
