"""How far back do five networks learn before any training? The gradient of a loss at the end of 300 steps tells."""

import torch

from elman import diagnostics, nn

torch.manual_seed(0)
x = torch.randn(16, 300, 8)

for name, layer in {
    "RNN, torch's start": nn.RNN(8, 32, batch_first=True),
    "RNN, orthogonal": nn.RNN(8, 32, batch_first=True, init="orthogonal"),
    "LSTM": nn.LSTM(8, 32, batch_first=True),
    "LSTM, chrono": nn.LSTM(8, 32, batch_first=True, init="chrono", memory=300),
    "leaky units": nn.LeakyRNN(8, 32, batch_first=True, memory=300),
}.items():
    with diagnostics.record(layer) as flow:
        output, _ = layer(x)
        output[:, -1].square().sum().backward()
    found = diagnostics.diagnose(flow)
    print(f"{name:20} {found['memory']['steps']:4} steps, {found['verdict']['kind']}: {found['verdict']['reason']}")
