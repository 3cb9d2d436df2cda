"""How much a model's accuracy suffers when it sees less, or worse.

Every condition shows the same performances, so that what differs is the sight alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pointaction.evaluation.metrics import Accuracy, hits
from pointaction.evaluation.performances import EXACT, PIXELS, Seen, Sight
from pointaction.evaluation.report import Table
from pointaction.synthetic.noise import TrackerNoise

POINTS = (256, 128, 64, 32)
FRAMES = (16, 12, 8, 4)
NOISE = (1.0, 2.0, 4.0, 8.0)  # times what training shows
SIDES = (320, 240, 160, 96)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Accuracy under one sight."""

    name: str
    accuracy: Accuracy

    def __str__(self) -> str:
        return f"{self.name}: {self.accuracy}"


def sights(*, points: int, pixels: bool) -> dict[str, Sight]:
    """The conditions by name, the undisturbed one first; the last ones need pixels."""
    plain = replace(EXACT, points=points)
    found = {"exact tracks": plain}
    found |= {f"{n} points": replace(plain, points=n) for n in POINTS if n < points}
    found |= {f"{n} frames": replace(plain, frames=n) for n in FRAMES}
    found |= {f"tracker noise x{times:g}": replace(plain, noise=noise(times)) for times in NOISE}
    if pixels:
        drawn = replace(PIXELS, points=points)
        found |= {f"rendered at {side} pixels": replace(drawn, side=side) for side in SIDES}
    return found


def noise(times: float) -> TrackerNoise:
    """A tracker that trembles, drifts and slips so many times as much as in training.

    Shares of points stay below 1; lives get shorter by the same factor, down to one frame, and
    points are lost at speeds as much lower.
    """
    usual = TrackerNoise()
    return replace(
        usual,
        jitter=usual.jitter * times,
        drift=usual.drift * times,
        weak_life=_shorter(usual.weak_life, times, least=1.0),
        fast=_shorter(usual.fast, times, least=0.0),
        slipping=min(0.9, usual.slipping * times),
    )


def _shorter(span: tuple[float, float], times: float, *, least: float) -> tuple[float, float]:
    low, high = span
    return max(least, low / times), max(least, high / times)


def evaluate_robustness(
    look: Callable[[str, Sight], Seen], conditions: dict[str, Sight]
) -> list[Condition]:
    """Top-1 accuracy under each condition; `look` shows the performances in a sight."""
    found = []
    for name, sight in conditions.items():
        seen = look(name, sight)
        accuracy = Accuracy.of(hits(seen.logits, seen.labels))
        found.append(Condition(name=name, accuracy=accuracy))
    return found


def table(conditions: Sequence[Condition]) -> Table:
    """For a report."""
    rows = {condition.name: (condition.accuracy,) for condition in conditions}
    return Table(corner="condition", columns=("top-1",), rows=rows)
