"""Segments as JSON."""

import json

from pointaction.timelines.segments import Segment
from pointaction.timelines.timeline import Timeline


def to_json(timeline: Timeline, found: list[Segment]) -> str:
    """An object: what the timeline was made with, its lengths in seconds, and its segments."""
    told = {
        **timeline.made,
        "duration_s": timeline.duration_s,
        "window_s": timeline.window_s,
        "step_s": timeline.step_s,
        "windows": timeline.windows,
        "windows_done": len(timeline.starts),
        "segments": [
            {"label": each.label, "start": each.start, "end": each.end, "score": each.score}
            for each in found
        ],
    }
    return json.dumps(told, indent=2) + "\n"
