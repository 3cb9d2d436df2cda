"""The text fields that several forms have: how they are read, and how the schema tells of them."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from pointaction.depth.lifters import LIFTERS
from pointaction.tracking.points import POINTS
from pointaction.tracking.trackers import TRACKERS
from service.problems import Refused
from service.settings import ServiceSettings
from workers.jobs import ClipParams

MAX_TOP_K = 100
_INSTALLED = "of a clip; what GET /models says is installed"

FILE: dict[str, Any] = {
    "clip": {
        "type": "string",
        "format": "binary",
        "description": "a video: mp4, mov, webm, mkv or avi",
    },
    "tracks": {
        "type": "string",
        "format": "binary",
        "description": "a .tracks.npz, so that no picture is sent",
    },
}
SEEN_BY: dict[str, Any] = {
    "model": {"type": "string", "description": "a name from GET /models"},
    "points": {
        "type": "string",
        "enum": list(POINTS),
        "description": "which points of a clip are followed. "
        + "; ".join(f"{method.name}: {method.says}" for method in POINTS.values()),
    },
    "tracker": {"type": "string", "enum": list(TRACKERS), "description": _INSTALLED},
    "depth": {"type": "string", "enum": list(LIFTERS), "description": _INSTALLED},
}
SHOWN: dict[str, Any] = {
    "top_k": {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K, "default": 5},
    "attention": {
        "type": "boolean",
        "default": True,
        "description": "whether the result links to the attention",
    },
}


def form(description: str, properties: dict[str, Any], **rules: Any) -> dict[str, Any]:
    """What the schema says of a form."""
    schema = {"type": "object", "properties": properties, **rules, "additionalProperties": False}
    body = {
        "required": True,
        "description": description,
        "content": {"multipart/form-data": {"schema": schema}},
    }
    return {"requestBody": body}


ONE_FILE: dict[str, Any] = {"oneOf": [{"required": ["clip"]}, {"required": ["tracks"]}]}


def seen_by(fields: Mapping[str, str], settings: ServiceSettings) -> ClipParams:
    """Model, points, tracker and depth as they were chosen, or as the operator did."""
    return ClipParams(
        model=fields.get("model", settings.default_model),
        points=choice(fields, "points", settings.points, POINTS),
        tracker=choice(fields, "tracker", settings.tracker, TRACKERS),
        depth=choice(fields, "depth", settings.depth, LIFTERS),
    )


def choice(fields: Mapping[str, str], field: str, default: str, known: Collection[str]) -> str:
    """One of the names that are known."""
    name = fields.get(field, default)
    if name not in known:
        raise Refused(
            "invalid-field",
            f"{field} must be one of {', '.join(known)}, got {name!r}",
            limit=list(known),
            value=name,
        )
    return name


def top_k(fields: Mapping[str, str]) -> int:
    """How many labels to answer with."""
    text = fields.get("top_k", "5")
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= number <= MAX_TOP_K:
        raise Refused(
            "invalid-field",
            f"top_k must be 1 to {MAX_TOP_K}, got {text!r}",
            limit=[1, MAX_TOP_K],
            value=text,
        )
    return number


def whole(fields: Mapping[str, str], field: str, default: int, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    text = fields.get(field, str(default))
    value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
    if value is None or not least <= value <= most:
        raise _out_of_range(field, "a whole number", least, most, text)
    return value


def number(
    fields: Mapping[str, str], field: str, default: float, least: float, most: float
) -> float:
    """A number from `least` to `most`, as 2 or 0.5."""
    text = fields.get(field, str(default))
    value = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None
    if value is None or not least <= value <= most:
        raise _out_of_range(field, "a number", least, most, text)
    return value


def _out_of_range(field: str, what: str, least: float, most: float, text: str) -> Refused:
    return Refused(
        "invalid-field",
        f"{field} must be {what} from {least:g} to {most:g}, got {text!r}",
        limit=[least, most],
        value=text,
    )


def attention(fields: Mapping[str, str]) -> bool:
    """Whether to link to the attention."""
    text = fields.get("attention", "true")
    if text not in ("true", "false"):
        raise Refused(
            "invalid-field",
            f"attention must be true or false, got {text!r}",
            limit=["true", "false"],
            value=text,
        )
    return text == "true"
