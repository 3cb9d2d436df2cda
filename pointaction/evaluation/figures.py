"""What was measured, in per cent, kept beside what it was measured on, to be compared later."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pointaction.errors import InputError
from pointaction.whole import written_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    value: float  # per cent
    low: float  # of its 95 % interval
    high: float
    of: str  # how many clips or episodes

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}] of {self.of}"


def save_figures(path: Path, figures: Mapping[str, Figure]) -> None:
    """As JSON, at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {name: asdict(figure) for name, figure in figures.items()}
    with written_whole(path) as part:
        part.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def read_figures(path: Path) -> dict[str, Figure]:
    """What `save_figures` wrote; InputError where there is nothing of the kind."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {name: Figure(**figure) for name, figure in told.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} holds no figures: {error}") from error
