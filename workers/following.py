"""What follows the clips of data sets in a worker. Imported before the fork: it brings nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from pointaction.errors import InputError
from workers.presence import worker_name
from workers.settings import Settings

if TYPE_CHECKING:
    from pointaction.extraction.follower import Failure, Followed, How
    from pointaction.extraction.sources import Wanted


class Following(Protocol):
    """As `pointaction.extraction.follower.Follower`."""

    def follow(self, wanted: Wanted) -> Followed | Failure: ...


OpenFollowing = Callable[[Settings, "How", str], Following]
"""With how clips are followed, and the digest of that where it was asked for."""


def open_following(settings: Settings, how: How, making: str) -> Following:
    """Our own library, on this worker's device and with its weights.

    Raises InputError where they would make other tracks than those that were asked for.
    """
    from pointaction.extraction.follower import Follower

    running = replace(how.running, device=settings.device)
    how = replace(how, models=settings.model_store, running=running)
    if how.making().digest != making:
        raise InputError(
            f"the worker {worker_name()} would make other tracks than `pointaction extract` asks "
            "for: it is of another release, or has other weights in its model store"
        )
    return OneThread(Follower(how))


class OneThread:
    """Follows with one thread, as the processes of `pointaction extract` do: what networks sum up
    depends on how many there are. Jobs of the same process have theirs back afterwards.
    """

    def __init__(self, following: Following) -> None:
        self._following = following

    def follow(self, wanted: Wanted) -> Followed | Failure:
        with _one_thread():
            return self._following.follow(wanted)


@contextmanager
def _one_thread() -> Iterator[None]:
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
