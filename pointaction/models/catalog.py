"""The catalogue: what is in the model store, with digest, licence and labels. Needs no torch.

`catalog.toml` has one table `[models.NAME]` per model; its label list is a text file beside the
weights, one label a line, so that a change of vocabulary reads well in a diff. Its calibration, if
it has one, is a JSON file beside them, and so is that of its episodes; if its labels are motions of
`vocabulary.toml`, it says so.

A later version of a model is a table `[models."NAME@VERSION"]` further down. NAME alone means the
last one of the name, NAME@VERSION exactly that one, and `[aliases]` has other words for either:
`default` is the model that answers where a request names none.
"""

import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pointaction.errors import DamagedWeights, InputError, UnknownModel
from pointaction.fewshot.calibration import EpisodeCalibration, read_episode_calibrations
from pointaction.models.calibration import Calibration
from pointaction.models.digests import check
from pointaction.models.symmetry import Symmetry, read_symmetry
from pointaction.stamp import told_by

Told = TypeVar("Told")

CLASSIFICATION, FEWSHOT, APPEARANCE = "classification", "fewshot", "appearance"
DEFAULT = "default"  # the alias of the model that answers where none is named
TORCH = "torch"  # the backend that every model has, see pointaction.models.backends
_ASKED_BY = {
    CLASSIFICATION: "a model that names motions; ask for it by `model`",
    FEWSHOT: "a head of few-shot episodes; ask for it by `head` when you make one",
    APPEARANCE: "a backbone of models that look at pixels; it answers nothing by itself",
}

DEFAULT_STORE = Path(__file__).resolve().parents[2] / "model_store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Which backbone shows an appearance branch the pixels: the one that it was trained on."""

    name: str  # of a model of the task "appearance", or of a download
    sha256: str  # of the backbone, as `FrozenBackbone.sha256` has it
    frames: int  # of a clip that it looks at

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of the store."""

    name: str
    version: str
    task: str  # what is asked of it: "classification", "fewshot" of a head, "appearance"
    builder: str  # key of the registry of its task, see pointaction.models.store
    file: str  # weights, relative to the store
    sha256: str  # of that file
    licence: str  # SPDX identifier
    commercial_use: bool
    source: str  # where the weights come from, down to the command and the seed
    parameters: int
    labels: tuple[str, ...]  # none of a head: each episode has its own
    inputs: dict[str, Any]  # the input contract: tracks, frames, channels, depth
    card: str  # model card, relative to the store
    calibration: Calibration | None = None
    symmetry: Symmetry | None = None
    episodes: Mapping[str, EpisodeCalibration] = field(default_factory=dict)  # by matcher
    backbone: Looks | None = None  # of a model with an appearance branch
    backend: str = TORCH  # what computes its answers here; the catalogue does not say

    @property
    def pinned(self) -> str:
        """The name that goes on meaning this version when there are later ones."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """What its own answers depend on: SHA-256 of the weights, where there is nothing else.

        Else that of a text: the weights' SHA-256 in hexadecimal, a line's end, and what is there
        of the calibration, as `Calibration.save` writes it, and of the symmetry and the backbone,
        as their `to_json` do.
        """
        return _digest(self.sha256, (self.calibration, self.symmetry, self.backbone))

    @property
    def answers(self) -> str:
        """What tells its answers from all others: the digest, and what computes them."""
        return answers(self.digest, self.backend)

    @property
    def follows(self) -> bool:
        """Whether it is asked about tracks."""
        return "tracks" in self.inputs or not self.looks

    @property
    def looks(self) -> bool:
        """Whether it has to see the clip itself, so that tracks alone will not do."""
        return "pixels" in self.inputs

    @property
    def seen_through(self) -> bool:
        """Whether other models can look through it: a backbone, or what sees pixels by itself."""
        watches = self.looks and not self.follows and self.backbone is None
        return self.task == APPEARANCE or watches

    def told(self) -> dict[str, str]:
        """What an answer says of the model behind it."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "licence": self.licence,
            "backend": self.backend,
        }

    def notes(self, depth: str | None) -> list[str]:
        """What to bear in mind of an answer on tracks with this depth; None: nobody knows which."""
        trained = self.inputs.get("depth")
        if trained is None or depth in (None, trained):
            return []
        return [
            f"{self.name} was trained on {trained} depth; how good it is on {depth} is not known"
        ]


@lru_cache(maxsize=64)  # a service asks for it several times a request
def _digest(sha256: str, parts: tuple[Calibration | Symmetry | Looks | None, ...]) -> str:
    more = [part.to_json() for part in parts if part]
    return hashlib.sha256(f"{sha256}\n{''.join(more)}".encode()).hexdigest() if more else sha256


def answers(digest: str, backend: str) -> str:
    """As `Entry.answers`, of what an answer says of its model."""
    return digest if backend == TORCH else f"{digest}:{backend}"


def pixels_missing(entry: Entry) -> InputError:
    """For a model that has to see the clip, and was given its tracks alone."""
    return InputError(
        f"{entry.name} looks at pixels, which tracks have not; send the clip itself, or choose a "
        "model that takes tracks alone",
        kind="pixels-missing",
        value=entry.name,
    )


def read_catalog(store: Path) -> dict[str, Entry]:
    """Every model that `catalog.toml` in the folder `store` describes.

    The last version of each is called by its name, earlier ones NAME@VERSION. Raises UnknownModel
    without a catalogue, DamagedWeights where a calibration or vocabulary is none.
    """
    models = read_tables(store)["models"]
    entries = [_entry(store, key, table) for key, table in models.items()]
    last = {entry.name: entry for entry in entries}
    return {entry.name if last[entry.name] is entry else entry.pinned: entry for entry in entries}


def find(store: Path, name: str, *, task: str | None = CLASSIFICATION) -> Entry:
    """The entry called `name`, NAME or NAME@VERSION or an alias of one.

    UnknownModel names those that are there for the task; any task will do if it is None.
    """
    tables = read_tables(store)
    models, keys = tables["models"], _keys(tables["models"])
    meant = aliases(tables).get(name, name)
    if meant not in keys:
        raise _unknown(tables, keys, name, meant, task)
    entry = _entry(store, keys[meant], models[keys[meant]])
    if task not in (None, entry.task):
        what = _ASKED_BY.get(entry.task, f"for the task {entry.task}")
        raise UnknownModel(f"{name} is {what}", value=name)
    return entry


def read_tables(store: Path) -> dict[str, Any]:
    """`catalog.toml` as it is written: `models` and, where there are any, `aliases`, `downloads`.

    UnknownModel without one, DamagedWeights where it cannot be read.
    """
    path = store / "catalog.toml"
    try:
        tables = told_by(path, _parsed)
    except FileNotFoundError:
        raise UnknownModel(
            f"{store} has no catalog.toml; set POINTACTION_MODEL_STORE to a model store"
        ) from None
    except ValueError as error:
        raise DamagedWeights(f"{path} cannot be read: {error}") from None
    return {"models": {}} | {name: dict(table) for name, table in tables.items()}


def _parsed(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def aliases(tables: Mapping[str, Any]) -> dict[str, str]:
    """What other words stand for.

    Where nothing says what `default` is, it is the first model of the file that names motions.
    """
    told: dict[str, str] = tables.get("aliases", {})
    models = tables["models"].items()
    named = (_name(key) for key, table in models if table["task"] == CLASSIFICATION)
    return {DEFAULT: next(named, DEFAULT)} | told


def own_store(store: Path) -> None:
    """Make sure that `store` can be added to; one that is not there yet begins as the shipped one.

    Raises InputError where it cannot.
    """
    if not (store / "catalog.toml").exists():
        shutil.copytree(DEFAULT_STORE, store, dirs_exist_ok=True)
    if not os.access(store, os.W_OK):
        raise InputError(
            f"the model store {store} cannot be written to; give --store a folder of your own and "
            "set POINTACTION_MODEL_STORE to it"
        )


def verify(store: Path, entry: Entry) -> Path:
    """The path of the weights, once their bytes have the digest that the catalogue gives."""
    path = store / entry.file
    again = ("fetch the model store again", "fetch it again")
    check(path, entry.sha256, source="the catalogue", again=again)
    return path


def _name(key: str) -> str:
    """Of the model whose table it is."""
    return key.partition("@")[0]


def _keys(models: Mapping[str, Any]) -> dict[str, str]:
    """Which table a NAME means, which is the last one, and which a NAME@VERSION."""
    keys = {}
    for key, table in models.items():
        keys[_name(key)] = keys[f"{_name(key)}@{table['version']}"] = key
    return keys


def _unknown(
    tables: Mapping[str, Any], keys: Mapping[str, str], name: str, meant: str, task: str | None
) -> UnknownModel:
    if meant != name:
        return UnknownModel(
            f"{name!r} stands for {meant!r}, which the store does not have; run: "
            "pointaction models default NAME",
            value=name,
        )
    versions = [other for other in keys if other.startswith(f"{_name(name)}@")]
    of_task = {key for key, table in tables["models"].items() if task in (None, table["task"])}
    names = [other for other, key in keys.items() if "@" not in other and key in of_task]
    there = ", ".join(sorted(versions if "@" in name and versions else names))
    return UnknownModel(f"no model {name!r} in the store; it has {there}", value=name)


def _entry(store: Path, key: str, table: Mapping[str, Any]) -> Entry:
    table = dict(table)
    labels = _labels(store / table.pop("labels")) if "labels" in table else ()
    vocabulary = table.pop("vocabulary", None)
    backbone = table.pop("backbone", None)
    return Entry(
        name=_name(key),
        labels=labels,
        symmetry=read_symmetry(store / vocabulary, labels) if vocabulary else None,
        calibration=_beside(store, table, "calibration", Calibration.load),
        episodes=_beside(store, table, "episodes", read_episode_calibrations) or {},
        backbone=Looks(**backbone) if backbone else None,
        **table,
    )


def _labels(path: Path) -> tuple[str, ...]:
    try:
        return told_by(path, _lines)
    except FileNotFoundError:
        raise DamagedWeights(f"{path} is missing; fetch the model store again") from None


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(line for line in path.read_text(encoding="utf-8").split("\n") if line)


def _beside(
    store: Path, table: dict[str, Any], key: str, read: Callable[[Path], Told]
) -> Told | None:
    """What the file says that the table names under `key`, which is taken out; None without."""
    file = table.pop(key, None)
    if file is None:
        return None
    try:
        return told_by(store / file, read)
    except FileNotFoundError:
        raise DamagedWeights(
            f"{store / file} is missing; fetch the model store again, or take the line "
            f"`{key}` out of catalog.toml"
        ) from None
    except InputError as error:  # of the operator, not of who asks
        raise DamagedWeights(str(error)) from None
