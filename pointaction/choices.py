"""Names that a user may choose from."""

from collections.abc import Mapping
from typing import TypeVar

from pointaction.errors import InputError

T = TypeVar("T")


def chosen(name: str, choices: Mapping[str, T]) -> T:
    """What `name` stands for; InputError names the choices there are."""
    if name not in choices:
        raise InputError(f"{name!r} is not one of: {', '.join(choices)}")
    return choices[name]
