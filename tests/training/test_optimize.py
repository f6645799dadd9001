"""Learning rates by their formulas, clipping by value, and settings that cannot be."""

import math
import threading

import pytest
import torch

from elman.errors import UsageError
from elman.training import Epoch, TrainingSettings, from_csv, to_csv
from elman.training.optimize import build_optimizer, clip, learning_rate, products_in


def rate(schedule, step=50, epoch=0, losses=(), **options):
    return learning_rate(
        TrainingSettings(learning_rate=2.0, schedule=schedule, **options), step, 100, epoch, list(losses)
    )


def test_constant_and_warmup():
    assert rate("constant") == 2.0
    assert [rate("constant", step, warmup=4) for step in range(6)] == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


def test_cosine_falls_from_the_end_of_the_warmup_to_zero():
    assert rate("cosine", 0) == 2.0
    assert rate("cosine", 50) == pytest.approx(1.0)
    assert rate("cosine", 60, warmup=20) == pytest.approx(1.0)
    assert rate("cosine", 99) == pytest.approx(1 + math.cos(0.99 * math.pi))


def test_step_decays_after_every_epoch_from_the_start_given():
    assert [rate("step", epoch=e, decay=0.5, decay_start=3) for e in range(6)] == [2, 2, 2, 1.0, 0.5, 0.25]


def test_triangular_rises_over_a_tenth_and_falls_to_a_32nd():
    shares = {0: 0.0, 4: 0.4, 9: 0.9, 10: 1.0, 55: 0.5, 99: 1 / 90}
    for step, share in shares.items():
        assert rate("triangular", step) == pytest.approx(2 * (1 + 31 * share) / 32)


def test_plateau_decays_after_each_epoch_that_is_not_better():
    assert rate("plateau", losses=[3, 2, 1], decay=0.1) == 2.0
    assert rate("plateau", losses=[3, 2, 2.5, 1.9, 1.9], decay=0.1) == pytest.approx(0.02)


def test_clipping_by_value_comes_first():
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, -0.1])
    assert clip([weight], TrainingSettings(clip_value=0.4)) == pytest.approx(math.hypot(0.4, 0.1))
    assert weight.grad.tolist() == pytest.approx([0.4, -0.1])


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", "SGD"), ("rmsprop", "RMSprop"), ("adam", "Adam"), ("adamw", "AdamW")]
)
def test_optimizers(name, kind):
    settings = TrainingSettings(optimizer=name, learning_rate=0.25, weight_decay=0.125, momentum=0.5)
    optimizer = build_optimizer([torch.nn.Parameter(torch.zeros(1))], settings)
    assert type(optimizer).__name__ == kind
    assert optimizer.param_groups[0]["lr"] == 0.25 and optimizer.param_groups[0]["weight_decay"] == 0.125


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"optimizer": "adamax"}, "optimizer must be one of sgd, rmsprop, adam, adamw, got 'adamax'"),
        ({"schedule": "linear"}, "schedule must be one of"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0"),
        ({"average": 1.0}, "average must be at least 0 and below 1, got 1"),
        ({"clip_norm": -1.0}, "clip_norm must be at least 0, got -1"),
        ({"information_flow_decay": -1}, "information_flow_decay must be at least 0, got -1"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0, got nan"),
    ],
)
def test_settings_that_cannot_be(options, message):
    with pytest.raises(UsageError, match=message):
        TrainingSettings(**options)


def test_the_history_survives_its_file():
    history = [
        Epoch(1, 0.5, 0.75, None, None, 1e-3, 2.0, 1.9, 2.5, 0.0, 1.5),
        Epoch(2, 1 / 3, 0.8, 0.4, 0.79, 1e-4, 1.0, 0.9, 1.5, 0.25, 1.25),
    ]
    assert from_csv(to_csv(history)) == history


def test_blocks_of_another_precision_take_turns():
    """The switch is of the process: a block in float32 must not see what one in another thread has set."""
    begun, ended, seen = threading.Event(), threading.Event(), []

    def rounded(wait):
        with products_in("bfloat16"):
            begun.set()
            if wait:
                ended.wait(5)
            seen.append(("bfloat16", torch.get_float32_matmul_precision()))

    def exact():
        begun.wait(5)
        with products_in("float32"):
            seen.append(("float32", torch.get_float32_matmul_precision()))

    threads = [threading.Thread(target=rounded, args=(True,)), threading.Thread(target=exact)]
    for thread in threads:
        thread.start()
    begun.wait(5)
    rounded(False)  # shares the block, and its end does not end the other's
    assert torch.get_float32_matmul_precision() == "medium"
    ended.set()
    for thread in threads:
        thread.join(10)
    assert seen == [("bfloat16", "medium"), ("bfloat16", "medium"), ("float32", "highest")]
    assert torch.get_float32_matmul_precision() == "highest"


def test_an_inner_block_has_its_own_precision():
    with products_in("bfloat16"):
        with products_in("float32"):
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == "highest"
