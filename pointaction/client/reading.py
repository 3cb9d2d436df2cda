"""JSON to records, by their type hints.

Members that a record does not know are passed over: a newer server may say more.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from pointaction.errors import PointActionError

R = TypeVar("R")


def parse(text: bytes | str) -> Any:
    """JSON; raises PointActionError where it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise PointActionError(
            f"the server answered with something that is not JSON: {text[:100]!r}; "
            "is it a PointAction server?"
        ) from error


def read(kind: type[R], document: Any) -> R:
    """A record of `document`; raises PointActionError where that lacks what it must have."""
    try:
        return cast(R, _value(kind, document))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PointActionError(
            f"the server's answer is no {kind.__name__} ({error!r}); "
            "is it a PointAction server of about the same release as this client?"
        ) from error


def _value(hint: Any, value: Any) -> Any:
    origin, inside = get_origin(hint), get_args(hint)
    if origin is UnionType:
        (wanted,) = (each for each in inside if each is not NoneType)
        return None if value is None else _value(wanted, value)
    if origin is tuple:
        return tuple(_value(inside[0], each) for each in value)
    if origin is Mapping:
        return {name: _value(inside[1], each) for name, each in value.items()}
    if hint is datetime:
        return datetime.fromisoformat(value)
    if is_dataclass(hint):
        return _record(cast(type, hint), value)
    return value


def _record(kind: type, document: Mapping[str, Any]) -> Any:
    """Of what the document has; what it must have and lacks is a KeyError."""
    hints = _hints(kind)
    return kind(
        **{
            each.name: _value(hints[each.name], document[each.name])
            for each in fields(kind)
            if each.name in document or (each.default, each.default_factory) == (MISSING, MISSING)
        }
    )


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
