import pytest

from pointaction.timing import seconds


def test_the_second_time_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0

    def work() -> None:
        nonlocal clock
        clock += 10 if clock == 0 else 2

    monkeypatch.setattr("pointaction.timing.perf_counter", lambda: clock)
    assert seconds(work) == 2
