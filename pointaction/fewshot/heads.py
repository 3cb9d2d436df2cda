"""Which heads an episode may choose: matchers, and what an answer says of them.

Nothing here needs torch before a head is opened; `matchers` has what they do. The registry is
a dict. Adding one that was trained is an entry here and a table in `catalog.toml`, of the same
name and the task "fewshot".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pointaction.errors import InputError
from pointaction.methods import Method, Running, Used
from pointaction.models.catalog import FEWSHOT, Entry, find

if TYPE_CHECKING:
    from pointaction.fewshot.matcher import Matcher

DEFAULT_HEAD = "prototype"


@dataclass(frozen=True, kw_only=True)
class TrainedHead(Method["Matcher"]):
    """A matcher with weights, which are the catalogue's entry of its name."""

    def used(self, store: Path, running: Running) -> Used:
        entry = find(store, self.name, task=FEWSHOT)
        return Used(
            name=entry.name, version=entry.version, digest=entry.digest, licence=entry.licence
        )


def _matcher(name: str) -> Callable[[Path, Running], Matcher]:
    def open(store: Path, running: Running) -> Matcher:
        from pointaction.fewshot.matchers import open_matcher

        return open_matcher(name)

    return open


def _trained(name: str) -> Callable[[Path, Running], Matcher]:
    def open(store: Path, running: Running) -> Matcher:
        from pointaction.fewshot.matchers import trained_matcher
        from pointaction.models.store import load_head

        return trained_matcher(load_head(store, find(store, name, task=FEWSHOT)))

    return open


def expect_comparable(entry: Entry) -> None:
    """InputError for a model that episodes cannot compare clips by."""
    if entry.looks:
        raise InputError(
            f"episodes compare how points move, and {entry.name} looks at pixels; choose a model "
            "that takes tracks alone",
            kind="not-comparable",
            value=entry.name,
        )


_UNTRAINED = {
    "prototype": "the nearest mean of a class's examples; clips as wholes",
    "linear-probe": "a linear classifier fitted to the examples in closed form; clips as wholes",
    "otam": "moments in the order of time, aligned",
    "sets": "moments in any order, each with its nearest",
    "trx": "ordered pairs and triples of moments",
}
_TRAINED = {
    "strm": "ordered tuples of moments that know where in the picture things move; trained",
    "trokens": "moments in any order, by how points turn and move against each other; trained",
}
HEADS: dict[str, Method[Matcher]] = {
    name: Method(name=name, says=says, version="1", open=_matcher(name))
    for name, says in _UNTRAINED.items()
} | {
    name: TrainedHead(name=name, says=says, version="1", open=_trained(name))
    for name, says in _TRAINED.items()
}
