"""Segments as CSV (RFC 4180)."""

import csv
import io

from pointaction.printable import printable
from pointaction.timelines.segments import Segment
from pointaction.timelines.timeline import Timeline

_FORMULA = ("=", "+", "-", "@")  # what spreadsheets would compute


def to_csv(timeline: Timeline, found: list[Segment]) -> str:
    """A line for each segment: its label, start and end in seconds, and score.

    Labels that a spreadsheet would take for a formula begin with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("label", "start_s", "end_s", "score"))
    for each in found:
        writer.writerow(
            (_cell(each.label), f"{each.start:.3f}", f"{each.end:.3f}", f"{each.score:.4f}")
        )
    return text.getvalue()


def _cell(label: str) -> str:
    label = printable(label)
    return f"'{label}" if label.startswith(_FORMULA) else label
