import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from pointaction.training.loop import awaited
from pointaction.training.pace import Pace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that is turned by hand, for all who ask for the time."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_what_is_not_waiting_is_busy(clock: list[float]) -> None:
    """The first batch comes after 5 s, then 9 s are worked and 1 s is waited, twice."""
    found = Pace()
    clock[0] = 5
    found(5.0)
    assert found.busy is None
    for _ in range(2):
        clock[0] += 10
        found(1.0)
    assert found.batches == 3
    assert found.busy == pytest.approx(0.9)


def test_a_supply_is_as_it_is_and_its_waits_are_told(clock: list[float]) -> None:
    def slowly() -> Iterator[Tensor]:
        for seconds in (3.0, 2.0):
            clock[0] += seconds
            yield torch.tensor(seconds)

    told: list[float] = []
    seen = []
    for batch in awaited(slowly(), told.append):
        seen.append(batch.item())
        clock[0] += 100  # of work, which is no waiting
    assert seen == [3.0, 2.0]
    assert told == [3.0, 2.0]
