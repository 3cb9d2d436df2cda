"""What a caller prefers: how long to wait (RFC 7240) and which media type (RFC 9110)."""

import math
from dataclasses import dataclass

from service.problems import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a job, and what to say about it in `Preference-Applied`."""

    seconds: float
    applied: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Preference-Applied": self.applied} if self.applied else {}


def patience(prefer: list[str], *, default_s: float, max_s: float) -> Patience:
    """Read the `Prefer` headers. Preferences that make no sense are ignored, as RFC 7240 asks.

    More than `max_s` is cut to it; `respond-async` without `wait` is not to wait at all.
    """
    wishes = _wishes(prefer)
    wait = wishes.get("wait", "")
    if wait.isascii() and wait.isdecimal():
        seconds = min(int(wait[:9]), math.floor(max_s))
        return Patience(seconds=seconds, applied=f"wait={seconds}")
    if "respond-async" in wishes:
        return Patience(seconds=0, applied="respond-async")
    return Patience(seconds=min(default_s, max_s))


def choose(accept: str | None, offers: list[str]) -> str:
    """The media type of `offers` that the `Accept` header likes best; the first of equals."""
    if accept is None or not accept.strip():
        return offers[0]
    ranges = [_media_range(part) for part in accept.split(",")]
    best = max(offers, key=lambda offer: _quality(offer, ranges))
    if _quality(best, ranges) == 0:
        raise Refused(
            "not-acceptable",
            f"this can be had as {' or '.join(offers)}, not as {accept}",
            limit=offers,
            value=accept,
        )
    return best


def _wishes(prefer: list[str]) -> dict[str, str]:
    wishes: dict[str, str] = {}
    for part in ",".join(prefer).split(","):
        name, _, value = part.split(";")[0].partition("=")
        # The first of several counts (RFC 7240, section 2).
        wishes.setdefault(name.strip().lower(), value.strip().strip('"'))
    return wishes


def _media_range(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return media, min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return media, 0.0
    return media, 1.0


def _quality(offer: str, ranges: list[tuple[str, float]]) -> float:
    """The quality that the most specific range that covers `offer` gives it."""
    stars = f"{offer.split('/')[0]}/*"
    for pattern in (offer, stars, "*/*"):
        for media, quality in ranges:
            if media == pattern:
                return quality
    return 0.0
