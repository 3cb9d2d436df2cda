"""Answers on a terminal. What others have named is shown as text, whatever is in it."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from pointaction.printable import printable

out = Console(emoji=False, highlight=False)
err = Console(stderr=True, emoji=False, highlight=False)


def plain(text: object) -> str:
    """Somebody's text as a terminal may show it: no markup, no control characters."""
    return escape(printable(str(text)))


def show(path: Path, answer: dict[str, Any], *, as_json: bool) -> None:
    """An answer, or the problem there was."""
    if as_json:
        sys.stdout.write(json.dumps({"file": str(path)} | answer) + "\n")
    elif "problem" in answer:
        err.print(f"[red]{plain(path)}[/]: {plain(answer['problem']['detail'])}")
    else:
        out.print(f"[bold]{plain(path)}[/]")
        show_predictions(answer)
        for name, best in answer.get("branches", {}).items():
            alone = best[0]
            told = f"{plain(name)} alone: {plain(alone['label'])}, {alone['score']:.1%}"
            out.print(f"  {told}", style="dim")
        for note in answer.get("notes", []):
            out.print(f"  {plain(note)}", style="dim")


def show_predictions(answer: dict[str, Any]) -> None:
    """Labels with their scores as bars, below a word that it may be none of them."""
    if answer.get("none_of_these"):  # a server of an older release does not say
        out.print("  likely none of these; the nearest:")
    for prediction in answer["predictions"]:
        bar = "█" * round(30 * prediction["score"])
        out.print(f"  {prediction['score']:6.1%}  {bar:<30}  {plain(prediction['label'])}")
