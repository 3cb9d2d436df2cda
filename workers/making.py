"""How the tracks behind an answer come about, which is part of every cache key."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from pointaction.choices import chosen
from pointaction.depth.lifters import LIFTERS
from pointaction.errors import UnknownModel
from pointaction.methods import Used
from pointaction.tracking.trackers import TRACKERS
from workers.settings import Settings

Media = Literal["clip", "tracks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Who follows how many points of a clip, and who gives them depth.

    An uploaded tracks file was made elsewhere: it has no tracker and a number of its own, and gets
    looming depth if it comes without any.
    """

    tracker: Used | None
    depth: Used
    tracks: int

    @classmethod
    def of(cls, settings: Settings, media: Media, *, tracker: str, depth: str) -> "Making":
        """By the names that a request chose; NotInstalled where weights are missing."""
        store, running = settings.model_store, settings.running
        if media == "tracks":
            return cls(tracker=None, depth=LIFTERS["looming"].used(store, running), tracks=0)
        return cls(
            tracker=chosen(tracker, TRACKERS).used(store, running),
            depth=chosen(depth, LIFTERS).used(store, running),
            tracks=settings.tracks,
        )

    @classmethod
    def behind(cls, settings: Settings, media: Media, result: dict[str, Any]) -> "Making":
        """By what the answer of a finished job says, whatever is installed now."""
        if media == "tracks":
            return cls.of(settings, media, tracker="", depth="")
        return cls(
            tracker=Used(**result["tracker"]),
            depth=Used(**result["depth"]),
            tracks=settings.tracks,
        )


def makings_of(settings: Settings, media: Media) -> set[Making]:
    """Every way there is here."""
    found = set()
    for tracker, depth in product(TRACKERS, LIFTERS):
        with suppress(UnknownModel):
            found.add(Making.of(settings, media, tracker=tracker, depth=depth))
    return found
