"""What timelines can be written as. The registry is a dict; adding one is an entry here."""

from collections.abc import Callable
from dataclasses import dataclass

from pointaction.timelines.document import to_json
from pointaction.timelines.elan import to_eaf
from pointaction.timelines.segments import Segment
from pointaction.timelines.table import to_csv
from pointaction.timelines.timeline import Timeline
from pointaction.timelines.webvtt import to_webvtt


@dataclass(frozen=True, slots=True)
class Format:
    media_type: str
    write: Callable[[Timeline, list[Segment]], str]


FORMATS: dict[str, Format] = {
    "json": Format("application/json", to_json),
    "csv": Format("text/csv; charset=utf-8", to_csv),
    "vtt": Format("text/vtt; charset=utf-8", to_webvtt),
    "eaf": Format("application/xml", to_eaf),
}
"""By the suffix of their files."""
