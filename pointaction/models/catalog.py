"""The catalogue: what is in the model store, with digest, licence and labels. Needs no torch.

`catalog.toml` has one table `[models.NAME]` per model; its label list is a text file beside the
weights, one label a line, so that a change of vocabulary reads well in a diff. Its calibration, if
it has one, is a JSON file beside them, and so is that of its episodes; if its labels are motions of
`vocabulary.toml`, it says so.
"""

import hashlib
import os
import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pointaction.errors import DamagedWeights, InputError, UnknownModel
from pointaction.fewshot.calibration import EpisodeCalibration, read_episode_calibrations
from pointaction.models.calibration import Calibration
from pointaction.models.digests import check
from pointaction.models.symmetry import Symmetry, read_symmetry

Told = TypeVar("Told")

CLASSIFICATION, FEWSHOT = "classification", "fewshot"
_ASKED_BY = {
    CLASSIFICATION: "a model that names motions; ask for it by `model`",
    FEWSHOT: "a head of few-shot episodes; ask for it by `head` when you make one",
}

DEFAULT_STORE = Path(__file__).resolve().parents[2] / "model_store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of the store."""

    name: str
    version: str
    task: str  # what is asked of it: "classification", or "fewshot" of a head of episodes
    builder: str  # key of pointaction.models.store.BUILDERS, or of models.fewshot.NETWORKS
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

    @property
    def digest(self) -> str:
        """What its own answers depend on: SHA-256 of the weights, where there is nothing else.

        Else that of a text: the weights' SHA-256 in hexadecimal, a line's end, the calibration as
        `Calibration.save` writes it, and the symmetry as its `to_json` does; what is there of both.
        """
        more = [part.to_json() for part in (self.calibration, self.symmetry) if part]
        if not more:
            return self.sha256
        return hashlib.sha256(f"{self.sha256}\n{''.join(more)}".encode()).hexdigest()

    def told(self) -> dict[str, str]:
        """What an answer says of the model behind it."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "licence": self.licence,
        }

    def notes(self, depth: str | None) -> list[str]:
        """What to bear in mind of an answer on tracks with this depth; None: nobody knows which."""
        trained = self.inputs.get("depth")
        if trained is None or depth in (None, trained):
            return []
        return [
            f"{self.name} was trained on {trained} depth; how good it is on {depth} is not known"
        ]


def read_catalog(store: Path) -> dict[str, Entry]:
    """Every model that `catalog.toml` in the folder `store` describes.

    Raises UnknownModel without one, DamagedWeights where a calibration or vocabulary is none.
    """
    path = store / "catalog.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["models"]
    except FileNotFoundError:
        raise UnknownModel(
            f"{store} has no catalog.toml; set POINTACTION_MODEL_STORE to a model store"
        ) from None
    return {name: _entry(store, name, dict(table)) for name, table in tables.items()}


def find(store: Path, name: str, *, task: str | None = CLASSIFICATION) -> Entry:
    """The entry called `name`; UnknownModel names those that are there for the task.

    Any task will do if it is None.
    """
    catalog = read_catalog(store)
    entry = catalog.get(name)
    if entry is None:
        fit = sorted(name for name, each in catalog.items() if task in (None, each.task))
        raise UnknownModel(f"no model {name!r} in the store; it has {', '.join(fit)}", value=name)
    if task not in (None, entry.task):
        what = _ASKED_BY.get(entry.task, f"for the task {entry.task}")
        raise UnknownModel(f"{name} is {what}", value=name)
    return entry


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


def _entry(store: Path, name: str, table: dict[str, Any]) -> Entry:
    labels = _labels(store / table.pop("labels")) if "labels" in table else ()
    vocabulary = table.pop("vocabulary", None)
    return Entry(
        name=name,
        labels=labels,
        symmetry=read_symmetry(store / vocabulary, labels) if vocabulary else None,
        calibration=_beside(store, table, "calibration", Calibration.load),
        episodes=_beside(store, table, "episodes", read_episode_calibrations) or {},
        **table,
    )


def _labels(path: Path) -> tuple[str, ...]:
    text = path.read_text(encoding="utf-8")
    return tuple(label for label in text.split("\n") if label)


def _beside(
    store: Path, table: dict[str, Any], key: str, read: Callable[[Path], Told]
) -> Told | None:
    """What the file says that the table names under `key`, which is taken out; None without."""
    file = table.pop(key, None)
    if file is None:
        return None
    try:
        return read(store / file)
    except FileNotFoundError:
        raise DamagedWeights(
            f"{store / file} is missing; fetch the model store again, or take the line "
            f"`{key}` out of catalog.toml"
        ) from None
    except InputError as error:  # of the operator, not of who asks
        raise DamagedWeights(str(error)) from None
