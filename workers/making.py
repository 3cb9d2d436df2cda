"""How the tracks behind an answer come about, which is part of every cache key."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from pointaction.choices import chosen
from pointaction.depth.lifters import LIFTERS
from pointaction.errors import UnknownModel
from pointaction.methods import Used
from pointaction.tracking.points import DEFAULT_POINTS, POINTS
from pointaction.tracking.trackers import TRACKERS
from workers.settings import Settings

Media = Literal["clip", "tracks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Who chooses how many points of a clip, who follows them, and who gives them depth.

    An uploaded tracks file was made elsewhere: nobody is known to have chosen or followed its
    points, which are as many as they are, and it gets looming depth if it comes without any. For a
    model that looks at pixels alone no tracks are made.
    """

    points: Used | None
    tracker: Used | None
    depth: Used | None
    tracks: int

    @classmethod
    def none(cls) -> "Making":
        """Of no tracks."""
        return cls(points=None, tracker=None, depth=None, tracks=0)

    @classmethod
    def of(
        cls, settings: Settings, media: Media, *, points: str, tracker: str, depth: str
    ) -> "Making":
        """By the names that a request chose; NotInstalled where weights are missing."""
        store, running = settings.model_store, settings.running
        if media == "tracks":
            looming = LIFTERS["looming"].used(store, running)
            return cls(points=None, tracker=None, depth=looming, tracks=0)
        return cls(
            points=chosen(points, POINTS).used(store, running),
            tracker=chosen(tracker, TRACKERS).used(store, running),
            depth=chosen(depth, LIFTERS).used(store, running),
            tracks=settings.tracks,
        )

    @classmethod
    def behind(cls, settings: Settings, media: Media, result: dict[str, Any]) -> "Making":
        """By what the answer of a finished job says, whatever is installed now."""
        if media == "tracks":
            return cls.of(settings, media, points="", tracker="", depth="")
        if result["tracker"] is None:
            return cls.none()
        # An older answer does not say: there was no choice.
        random = POINTS[DEFAULT_POINTS].used(settings.model_store, settings.running)
        points = result.get("points", random.to_json())
        return cls(
            points=Used(**points),
            tracker=Used(**result["tracker"]),
            depth=Used(**result["depth"]),
            tracks=settings.tracks,
        )


def makings_of(settings: Settings, media: Media) -> set[Making]:
    """Every way there is here."""
    found = {Making.none()}
    for points, tracker, depth in product(POINTS, TRACKERS, LIFTERS):
        with suppress(UnknownModel):
            found.add(Making.of(settings, media, points=points, tracker=tracker, depth=depth))
    return found
