"""How far a piece of work is."""

from collections.abc import Callable

Count = Callable[[int, int], None]
"""Told how much is done and of how much; may raise to stop the work."""


def uncounted(done: int, total: int) -> None:
    """A count that nobody reads."""
