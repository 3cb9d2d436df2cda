"""Recipes: the rows of papers' tables, and the commands that reproduce each. Needs no torch.

A TOML file for each paper has them (`traction.toml` says how it is laid out). What is in braces is
looked up in the row, its column, its kind and the paper's settings, in this order; lists become
several words of a command.
"""

import re
import shlex
import tomllib
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pointaction.choices import chosen
from pointaction.errors import InputError

PAPERS = ("traction", "trokens", "strm")
_BRACES = re.compile(r"\{([a-z_]+)\}")
_PATHS = ("data", "out", "models", "figures")  # may have braces of their own
_OTHERS = "{extract_others}"  # as many steps as there are other data sets to pretrain on


@dataclass(frozen=True, kw_only=True)
class Recipe:
    name: str
    title: str  # of the paper
    table: str
    row: str  # as the paper calls it
    column: str  # likewise
    says: str  # what is done
    paper: Mapping[str, float]  # the paper's figures in per cent, by name
    notes: tuple[str, ...]  # where ours is not, or may not be, the paper's setting
    told: Mapping[str, Any]  # what braces stand for
    tiny: Mapping[str, Any]  # what they stand for first, in a trial
    clips: Mapping[str, tuple[int, int]]  # of training and validation, by data set; the paper's
    hours: Mapping[str, float]  # of a graphics card, by stage; the paper's

    @property
    def sets(self) -> tuple[str, ...]:
        """The data sets that it needs, by the names of their layouts."""
        lookup = _Lookup([self.told])
        words = (word for each in self.told["sets"] for word in lookup.words(each))
        return tuple(dict.fromkeys(words))

    def commands(self, given: Mapping[str, Any], *, tiny: bool = False) -> list[list[str]]:
        """The words of each step's command, after `pointaction`.

        given: data, out, models, device, processes, workers and precision.
        """
        figures = f"{given['out']}/figures/{self.name}.json"
        maps = [given, {"figures": figures}, *([self.tiny] if tiny else []), self.told]
        lookup = _Lookup(maps)
        steps = []
        for template in self.told["steps"]:
            if template == _OTHERS:
                own = lookup.text("{set}")
                others = [other for other in self.told["pretrained_on"] if other != own]
                steps += [_Lookup([{"set": other}, *maps]).words("{extract}") for other in others]
            else:
                steps.append(
                    [word for each in shlex.split(template) for word in lookup.words(each)]
                )
        return steps

    def weights(self, *, tiny: bool = False) -> tuple[str, ...]:
        """The weights of others that it needs, and methods that need none, by name."""
        lookup = _Lookup([*([self.tiny] if tiny else []), self.told])
        return tuple(lookup.text(each) for each in self.told["weights"])


class _Lookup:
    """What braces stand for; the first map that has a word decides."""

    def __init__(self, maps: list[Mapping[str, Any]]) -> None:
        self._told = ChainMap(*(dict(each) for each in maps))

    def words(self, template: str) -> list[str]:
        """A word of a template as words of a command: a list in braces becomes several or none."""
        whole = _BRACES.fullmatch(template)
        if whole and isinstance(self._value(whole[1]), list):
            return [word for each in self._value(whole[1]) for word in self.words(str(each))]
        return [self.text(template)]

    def text(self, template: str) -> str:
        """A template as text. What paths are called may have braces: they are left alone."""
        return _BRACES.sub(lambda found: self._word(found[1]), template)

    def _word(self, name: str) -> str:
        value = self._value(name)
        if isinstance(value, list):
            raise InputError(f"a recipe has the list {{{name}}} within a word")
        return str(value) if name in _PATHS else self.text(str(value))

    def _value(self, name: str) -> Any:
        if name not in self._told:
            raise InputError(f"a recipe asks for {{{name}}}, which nothing tells")
        return self._told[name]


@cache
def recipes() -> dict[str, Recipe]:
    """All recipes by name, in the order of the papers' tables."""
    found: dict[str, Recipe] = {}
    for paper in PAPERS:
        text = Path(__file__).with_name(f"{paper}.toml").read_text(encoding="utf-8")
        for recipe in _recipes(tomllib.loads(text)):
            if recipe.name in found:
                raise InputError(f"two recipes are called {recipe.name}")
            found[recipe.name] = recipe
    return found


def find_recipe(name: str) -> Recipe:
    """InputError names those there are."""
    return chosen(name, recipes())


def _recipes(told: Mapping[str, Any]) -> Iterator[Recipe]:
    for row in told["rows"]:
        kind = told["kinds"][row["kind"]]
        for column, paper in row["paper"].items():
            place = told["columns"][column]
            lookup = ChainMap(row, place, kind, told["settings"])
            yield Recipe(
                name=told["names"].format(row=row["row"], column=column),
                title=told["title"],
                table=row["table"],
                row=row["says"],
                column=place["title"],
                says=kind["says"],
                paper=paper if isinstance(paper, dict) else {told["figure"]: paper},
                notes=(*kind.get("notes", ()), *row.get("notes", ())),
                told=lookup,
                tiny=told.get("tiny", {}),
                clips={name: tuple(pair) for name, pair in told.get("clips", {}).items()},
                hours=told.get("hours", {}),
            )
