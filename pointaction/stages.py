"""The stages of a clip's way, and who is told of them."""

from collections.abc import Callable

from pointaction.count import Count

STAGES = ("decode", "track", "lift", "look", "tokenise", "classify", "explain")
# How much of the whole work is behind a clip when it enters each stage, roughly.
_ENTERED = {
    "decode": 0.02,
    "track": 0.25,
    "lift": 0.7,
    "look": 0.75,
    "tokenise": 0.8,
    "classify": 0.85,
    "explain": 0.95,
}

Report = Callable[[str, float], None]
"""Told the stage that begins and the progress so far (0 to 1); may raise to stop the work."""


def silent(stage: str, progress: float) -> None:
    """A report that nobody reads."""


def enter(stage: str, report: Report) -> None:
    """Say that a stage begins."""
    report(stage, _ENTERED[stage])


def within(stage: str, report: Report) -> Count:
    """A count that moves the progress from where `stage` begins to where the next one does."""
    begin, end = (_ENTERED[name] for name in STAGES[STAGES.index(stage) :][:2])
    return lambda done, total: report(stage, begin + (end - begin) * done / total)
