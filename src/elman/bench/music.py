"""Polyphonic music as piano rolls of 88 notes (Boulanger-Lewandowski, Bengio & Vincent 2012)."""

from collections.abc import Iterator
from pathlib import Path

import torch
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pack_sequence

from ..errors import DataError, UsageError
from ._task import Batch, Task, uniform

_NOTES = 88
_SPLITS = {"train": "traindata", "validation": "validdata", "test": "testdata"}


class Music(Task):
    """Which notes sound at a step, from the steps before; nothing is heard before the first.

    The figure is the negative log-likelihood in nats per step: the cross-entropies of the 88 notes summed, then the
    mean over all steps of all pieces. About 20,000 parameters in the layer, as in Chung et al. 2014, section 5.2.

    Args:
        file: name without ".mat"; the file holds `traindata`, `validdata` and `testdata`, one [T, 88] array a piece.
    Raises:
        UsageError: no folder was given.
        DataError: the file is not there, or not of this form.
    """

    input_size = output_size = _NOTES
    every_step = True
    hidden_size = 0
    parameters = 20_000
    batch_size = 8
    lengths = ("data",)
    measure = "nats per step"
    guess = None
    goal = None
    updates = 20_000
    check_every = 100
    patience = 20

    def __init__(self, file: str, folder: Path | None) -> None:
        if folder is None:
            raise UsageError(f"the music is not built in: --data must name the folder that holds {file}.mat")
        path = folder / f"{file}.mat"
        if not path.exists():
            raise DataError(f"{path}: no such file")
        try:
            content = loadmat(path)
            self._pieces = {split: [_roll(piece) for piece in content[key][0]] for split, key in _SPLITS.items()}
            if not all(self._pieces.values()):
                raise ValueError("no pieces in one of them")
        except (OSError, MatReadError, KeyError, ValueError, IndexError, TypeError) as error:
            raise DataError(
                f"{path}: expected a .mat file with {', '.join(_SPLITS.values())} of [T, 88] piano rolls, got {error!r}"
            ) from None

    def draw(self, length: int, size: int, generator: Generator) -> Batch:
        train = self._pieces["train"]
        return _batch([train[i] for i in uniform(0, len(train), size, generator).tolist()])

    def held_out(self, split: str, lengths: tuple[int, int], generator: Generator) -> Iterator[Batch]:
        pieces = self._pieces[split]
        for start in range(0, len(pieces), 50):
            yield _batch(pieces[start : start + 50])

    def loss(self, scores: Tensor, batch: Batch) -> Tensor:
        return binary_cross_entropy_with_logits(scores, batch.targets, reduction="sum") / len(scores)

    def error(self, scores: Tensor, batch: Batch) -> tuple[float, int]:
        return float(self.loss(scores.double(), Batch(batch.inputs, batch.targets.double()))) * len(scores), len(scores)


def _roll(piece: object) -> Tensor:
    roll = torch.as_tensor(piece, dtype=torch.float32)
    if roll.dim() != 2 or roll.shape[1] != _NOTES or not len(roll):
        raise ValueError(f"a piece of shape {list(roll.shape)}")
    return roll


def _batch(pieces: list[Tensor]) -> Batch:
    """Each step's notes are the answer; the step before is the input."""
    heard = [torch.cat((piece.new_zeros(1, _NOTES), piece[:-1])) for piece in pieces]
    return Batch(pack_sequence(heard, enforce_sorted=False), pack_sequence(pieces, enforce_sorted=False).data)
