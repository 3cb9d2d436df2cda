"""What the configuration of a network may say, wherever it was read."""

from typing import Any

from pointaction.errors import InputError


def expect(config: Any, **limits: tuple[int, int]) -> None:
    """InputError unless each named field of a configuration is a whole number within its limits.

    A field that is a tuple is judged by each of its values.
    """
    for name, (low, high) in limits.items():
        value = getattr(config, name)
        for one in value if isinstance(value, tuple) else (value,):
            if type(one) is not int or not low <= one <= high:
                raise InputError(
                    f"{name} must be {low} to {high}, got {one!r}",
                    limit=[low, high],
                    value=repr(one),
                )


def expect_share(value: float) -> None:
    """InputError unless a dropout is 0 to below 1."""
    if not 0 <= value < 1:
        raise InputError(f"dropout must be 0 to below 1, got {value}")
