"""A checkpoint is taken up as it was written, or refused."""

import hashlib

import pytest
import torch
from safetensors.torch import load_file, save_file

from elman.errors import CheckpointError
from elman.training import checkpoint, tensor_file

PROGRESS = {"epoch": 3, "history": [{"epoch": 1, "train_loss": 0.25}]}


@pytest.fixture
def written(tmp_path):
    """A file, and the optimizer and the weights in it."""
    torch.manual_seed(1)
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    path = tmp_path / "checkpoint.safetensors"
    groups = {"weights": layer.state_dict(), "average": {}, "best": {"scale": torch.tensor(2.0)}}
    checkpoint.save(path, groups, optimizer, torch.Generator().manual_seed(4), PROGRESS, "of this run")
    return path, optimizer, groups


def test_it_is_what_was_saved(written):
    path, optimizer, groups = written
    generator = torch.Generator()
    expected = {name: value.clone() for name, value in optimizer.state_dict()["state"][0].items()}
    found, progress = checkpoint.load(path, optimizer, generator, "of this run")
    assert progress == PROGRESS and torch.equal(generator.get_state(), torch.Generator().manual_seed(4).get_state())
    assert {name: set(group) for name, group in found.items()} == {"weights": {"weight", "bias"}, "best": {"scale"}}
    assert torch.equal(found["weights"]["weight"], groups["weights"]["weight"])
    assert all(torch.equal(optimizer.state_dict()["state"][0][name], value) for name, value in expected.items())


def test_every_flipped_bit_is_refused_or_has_no_effect(written):
    path, optimizer, _ = written
    content = path.read_bytes()
    whole = hashlib.sha256(content).hexdigest()
    taken = 0
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found, progress = checkpoint.load(path, optimizer, torch.Generator(), "of this run")
        except CheckpointError as error:
            assert str(path) in str(error)
            continue
        taken += 1
        assert progress == PROGRESS and found["best"]["scale"] == 2
    assert taken < 10  # in the name of the digest itself
    path.write_bytes(content)
    assert whole == hashlib.sha256(path.read_bytes()).hexdigest()
    checkpoint.load(path, optimizer, torch.Generator(), "of this run")


def test_one_of_an_earlier_version_is_taken(written):
    path, optimizer, groups = written
    tensors, metadata = tensor_file.read(path)
    del metadata[tensor_file.DIGEST]
    save_file(tensors, path, metadata)
    found, _ = checkpoint.load(path, optimizer, torch.Generator(), "of this run")
    assert torch.equal(found["weights"]["bias"], groups["weights"]["bias"])


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(1.5),
        torch.empty(0, 3),
        torch.arange(12.0).reshape(3, 4).T,
        torch.arange(7, dtype=torch.int16)[1:],
        torch.ones(3, dtype=torch.bfloat16),
        torch.tensor([True, False, True]),
        torch.arange(5, dtype=torch.uint8),
        torch.ones(2, dtype=torch.float64, requires_grad=True),
    ],
    ids=lambda tensor: f"{tensor.dtype} {list(tensor.shape)}",
)
def test_the_file_is_safetensors(tmp_path, tensor):
    """As its own package reads and writes it, tensors that share their memory too."""
    tensors = {"a": tensor, "b": tensor, "odd": torch.arange(3, dtype=torch.uint8)}
    with (tmp_path / "a").open("wb") as file:
        file.writelines(tensor_file.pieces(tensors, tensor_file.with_digest(tensors, {"é": "\n"})))
    found = load_file(tmp_path / "a")
    assert found.keys() == tensors.keys()
    for name, value in found.items():
        assert value.dtype == tensors[name].dtype and torch.equal(value, tensors[name].detach())
    assert tensor_file.read(tmp_path / "a")[1]["é"] == "\n"


def test_random_bytes_are_no_checkpoint(written):
    path, optimizer, _ = written
    for content in (b"", b"\0" * 8, b"\xff" * 64, (10).to_bytes(8, "little") + b"[" * 100_000, b"{}" * 9):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoint.load(path, optimizer, torch.Generator(), "of this run")
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(path, optimizer, torch.Generator(), "of this run")
