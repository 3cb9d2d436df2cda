import sys
from types import SimpleNamespace

import pytest

from workers import gpu


def card(monkeypatch: pytest.MonkeyPatch, *, initialised: bool, reserved: list[int]) -> None:
    """A torch that sees so many GPUs of 100 bytes, of which it has reserved so much."""
    cuda = SimpleNamespace(
        is_initialized=lambda: initialised,
        device_count=lambda: len(reserved),
        memory_reserved=lambda device: reserved[device],
        memory_allocated=lambda device: reserved[device] - 1,
        mem_get_info=lambda device: (100 - reserved[device], 100),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))


def test_only_devices_in_use_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, initialised=True, reserved=[0, 30])
    assert gpu.memory() == {"cuda:1": {"allocated": 29, "reserved": 30, "free": 70, "total": 100}}


def test_a_gpu_that_nobody_has_touched_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, initialised=False, reserved=[30])
    assert gpu.memory() == {}


def test_a_device_is_usable_where_torch_finds_it() -> None:
    assert gpu.usable("cpu")
    assert not gpu.usable("cuda:99")
    assert not gpu.usable("abacus")


def test_without_torch_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu.memory() == {}
    assert "torch" not in sys.modules
