"""How long work takes here, measured on a little of it."""

from collections.abc import Callable
from time import perf_counter


def seconds(work: Callable[[], object]) -> float:
    """How long it takes the second time; the first call of anything is slower."""
    work()
    start = perf_counter()
    work()
    return perf_counter() - start
