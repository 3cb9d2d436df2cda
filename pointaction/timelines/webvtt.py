"""Segments as WebVTT (W3C): players show them as subtitles while they last."""

from html import escape

from pointaction.printable import printable
from pointaction.timelines.segments import Segment
from pointaction.timelines.timeline import Timeline


def to_webvtt(timeline: Timeline, found: list[Segment]) -> str:
    """A cue for each segment: its label and its score in percent."""
    cues = [
        f"{_clock(each.start)} --> {_clock(each.end)}\n"
        f"{escape(printable(each.label), quote=False)} {each.score:.0%}\n"
        for each in found
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _clock(seconds: float) -> str:
    """HH:MM:SS.mmm."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}.{thousandths:03}"
