"""What there is to look at in a video: known before any of it is looked at. Needs no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pointaction.clip import Source
from pointaction.timelines.windows import Windows
from pointaction.video.stamps import Stamps


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A video, and where its windows lie."""

    path: Path
    sha256: str  # of the file
    source: Source
    windows: Windows
    stamps: Stamps | None = None  # None: its frames have to be counted from the first

    def to_json(self) -> dict[str, Any]:
        """All of it but the path: to go on with the same file, wherever it lies by then."""
        told = asdict(self)
        del told["path"]
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any], *, path: Path) -> "Plan":
        """What `to_json` gave."""
        return cls(
            path=path,
            sha256=told["sha256"],
            source=Source(**told["source"]),
            windows=Windows(**told["windows"]),
            stamps=Stamps(**told["stamps"]) if told["stamps"] else None,
        )
