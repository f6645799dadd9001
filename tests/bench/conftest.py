"""What the tests of the bench share."""

import pytest

from elman.bench.digits import Digits
from elman.bench.temporal_order import TemporalOrder


@pytest.fixture
def quick(monkeypatch):
    """A task that is looked at after every update."""
    monkeypatch.setattr(TemporalOrder, "check_every", 2)
    monkeypatch.setattr(Digits, "check_every", 2)
