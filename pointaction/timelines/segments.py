"""From scores over time to segments: when what was done, and how surely. Needs no torch.

Nothing is looked at again: another threshold is another reading of the same scores.

Shapes:  n windows   C labels
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Something that is done for a while."""

    label: str
    start: float  # seconds since the first frame
    end: float
    score: float  # of the window in it that is surest, smoothed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What makes a segment of a label's scores.

    Scores are averaged over `smooth` windows. A segment is where they stay at or above `lasting`
    times the threshold and reach the threshold at least once: a score that trembles about the
    threshold then gives one segment and not ten. Those less than `gap_s` apart become one, and
    after that those shorter than `least_s` are left out.
    """

    threshold: float = 0.5
    lasting: float = 0.5
    smooth: int = 3  # windows, odd
    gap_s: float = 1.0
    least_s: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.threshold <= 1 and 0 < self.lasting <= 1):
            raise InputError(
                "a threshold and its lasting share are above 0 and at most 1, got "
                f"{self.threshold} and {self.lasting}"
            )
        if self.smooth < 1 or self.smooth % 2 == 0 or min(self.gap_s, self.least_s) < 0:
            raise InputError(
                "scores are smoothed over 1, 3, 5, ... windows, and lengths are 0 s or more, got "
                f"{self.smooth} windows, {self.gap_s} s and {self.least_s} s"
            )


RULE = Rule()


def segments(
    scores: NDArray[np.float32],
    edges: NDArray[np.float64],
    labels: Sequence[str],
    rule: Rule = RULE,
    *,
    none_of_these: NDArray[np.bool_] | None = None,
) -> list[Segment]:
    """The segments of every label, each in a lane of its own, in the order of their starts.

    scores (n, C); edges (n + 1,) rising, in seconds: window i speaks for the time from edge i to
    edge i + 1. Windows that are `none_of_these` (n,) speak for no label.
    """
    if none_of_these is not None:
        scores = np.where(none_of_these[:, None], 0, scores)
    smooth = smoothed(scores, rule.smooth)
    reached = np.flatnonzero(smooth.max(0, initial=0) >= rule.threshold)
    found = [
        Segment(
            label=labels[column],
            start=float(edges[first]),
            end=float(edges[stop]),
            score=float(smooth[first:stop, column].max()),
        )
        for column in reached.tolist()
        for first, stop in _lane(smooth[:, column], edges, rule)
    ]
    return sorted(found, key=lambda each: (each.start, each.end, each.label))


def smoothed(scores: NDArray[np.float32], windows: int) -> NDArray[np.float32]:
    """Each row of scores (n, C) averaged with its neighbours, `windows` (odd) in all.

    At both ends there are fewer to average.
    """
    sums = np.concatenate([np.zeros((1, scores.shape[1])), scores.cumsum(0, dtype=np.float64)])
    middle = np.arange(len(scores))
    first = (middle - windows // 2).clip(min=0)
    stop = (middle + windows // 2 + 1).clip(max=len(scores))
    return ((sums[stop] - sums[first]) / (stop - first)[:, None]).astype(np.float32)


def _lane(
    scores: NDArray[np.float32], edges: NDArray[np.float64], rule: Rule
) -> Iterator[tuple[int, int]]:
    """(first, stop) windows of the segments of one label with scores (n,)."""
    joined: list[tuple[int, int]] = []
    for first, stop in _runs(scores >= rule.lasting * rule.threshold):
        if scores[first:stop].max() < rule.threshold:
            continue
        if joined and edges[first] - edges[joined[-1][1]] < rule.gap_s:
            first = joined.pop()[0]
        joined.append((first, stop))
    for first, stop in joined:
        if edges[stop] - edges[first] >= rule.least_s:
            yield first, stop


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, stop) of each run of True in flags (n,)."""
    change = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return list(
        zip(np.flatnonzero(change > 0).tolist(), np.flatnonzero(change < 0).tolist(), strict=True)
    )
