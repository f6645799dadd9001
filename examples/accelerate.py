"""A model in plain torch, its recurrent layers exchanged for Elman's in one line, and back."""

import torch

import elman


class Tagger(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(1000, 32)
        self.encoder = torch.nn.LSTM(32, 64, num_layers=2, bidirectional=True, batch_first=True)
        self.smoother = torch.nn.GRU(128, 64, batch_first=True)
        self.step = torch.nn.GRUCell(64, 64)
        self.output = torch.nn.Linear(64, 5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        smooth, _ = self.smoother(self.encoder(self.embedding(ids))[0])
        return self.output(self.step(smooth[:, -1]))


torch.manual_seed(0)
model = Tagger()
optimizer = torch.optim.Adam(model.parameters())  # made before, good after: the Parameters stay the same objects
ids = torch.randint(1000, (8, 50))
before = model(ids)

print(elman.accelerate(model), "\n")
after = model(ids)
print("same numbers:", torch.allclose(before, after, atol=1e-6))
after.square().mean().backward()
optimizer.step()

elman.restore(model)
print("back again:", type(model.encoder) is torch.nn.LSTM)
