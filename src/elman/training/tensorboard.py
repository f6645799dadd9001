"""TensorBoard log: loss, accuracy and learning rate; per parameter the gradient's histogram, norm and zeros."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from ..errors import MissingExtraError, RunFolderError
from .history import Epoch
from .loop import Listener, Step


class TensorBoard(Listener):
    """Writes event files.

    Args:
        every: steps between two looks at the gradients.
    Raises:
        MissingExtraError, RunFolderError.
    """

    def __init__(self, folder: Path, every: int = 50) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtraError("TensorBoard logging", "tensorboard") from None
        try:
            self._writer = SummaryWriter(folder)
        except UnicodeError:
            raise RunFolderError(f"{folder}: TensorBoard writes only into folders whose name is UTF-8") from None
        except OSError as error:
            raise RunFolderError(f"{folder}: cannot be written ({error.strerror})") from None
        self._every = every

    def step_done(self, step: Step, model: torch.nn.Module) -> None:
        if step.number % self._every:
            return
        write = self._writer.add_scalar
        write("train/loss", step.loss, step.number)
        if step.accuracy is not None:
            write("train/accuracy", step.accuracy, step.number)
        write("train/learning_rate", step.learning_rate, step.number)
        write("train/gradient_norm", step.gradient_norm, step.number)
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                gradient = parameter.grad
                self._writer.add_histogram(f"gradient/{name}", gradient, step.number)
                write(f"gradient_norm/{name}", gradient.norm().item(), step.number)
                write(f"gradient_zeros/{name}", (gradient == 0).float().mean().item(), step.number)

    def epoch_done(self, epoch: Epoch, is_best: bool) -> None:
        write = self._writer.add_scalar
        write("epoch/train_loss", epoch.train_loss, epoch.epoch)
        for name in ("train_accuracy", "validation_loss", "validation_accuracy"):
            if (value := getattr(epoch, name)) is not None:
                write(f"epoch/{name}", value, epoch.epoch)
        for name in ("gradient_norm_median", "gradient_norm_90", "clipped"):
            write(f"epoch/{name}", getattr(epoch, name), epoch.epoch)
        self._writer.flush()

    def add(self, step: int, scalars: dict[str, float], figures: dict[str, Figure] | None = None) -> None:
        """Further numbers and Matplotlib figures by tag."""
        for tag, value in scalars.items():
            self._writer.add_scalar(tag, value, step)
        for tag, figure in (figures or {}).items():
            self._writer.add_figure(tag, figure, step)
        self._writer.flush()
