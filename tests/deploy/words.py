"""What `pointaction` makes of the words that a deployment starts it by."""

from collections.abc import Callable, Sequence
from typing import Any

import typer

from pointaction.extraction.commands import extract
from workers.cli import worker

_COMMANDS: dict[str, Callable[..., None]] = {"extract": extract, "worker": worker}


def understood(words: Sequence[str]) -> dict[str, Any]:
    """Options and arguments by their names; an error where there is no such one."""
    name, *rest = words
    app = typer.Typer()
    app.command(name)(_COMMANDS[name])
    return typer.main.get_command(app).make_context(name, rest).params
