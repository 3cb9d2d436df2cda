"""Ways to make tracks and to give them depth: what each is called, runs on, and is licensed under.

The registries are dicts of `Method`: `tracking.points.POINTS`, `tracking.trackers.TRACKERS` and
`depth.lifters.LIFTERS`. Nothing here or there needs torch before a method is opened, so that
a web process can say what there is.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pointaction.models.downloads import find_download, installed

LICENCE = "Apache-2.0"  # of this project, and so of the methods that need no weights

Precision = Literal["float32", "bfloat16"]
Opened = TypeVar("Opened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How networks are run."""

    device: str = "cpu"
    precision: Precision = "float32"  # of their large products
    compiled: bool = False  # by torch.compile, where a network gains from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What an answer says of a method behind it."""

    name: str
    version: str
    digest: str | None  # SHA-256 of its weights; None: it has none
    licence: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Method(Generic[Opened]):
    """A way to choose points, a tracker or a depth that can be asked for by name."""

    name: str
    says: str  # what it is, in one line
    version: str  # of our code: another one makes other points, other tracks or another depth
    open: Callable[[Path, Running], Opened]  # with the store; NotInstalled or DamagedWeights
    weights: str | None = None  # the download without which there is none of it
    heeds_precision: bool = False

    def runs_on(self, store: Path) -> str | None:
        """The download whose weights it takes with this store; None: it takes none."""
        return self.weights

    def used(self, store: Path, running: Running) -> Used:
        """The facts of an answer made so; NotInstalled or UnknownModel without its weights."""
        weights = self.runs_on(store)
        if weights is None:
            return Used(name=self.name, version=self.version, digest=None, licence=LICENCE)
        receipt = installed(store, find_download(store, weights))
        rounded = self.heeds_precision and running.precision != "float32"
        return Used(
            name=self.name,
            version=f"{self.version}+{running.precision}" if rounded else self.version,
            digest=receipt.sha256,
            licence=receipt.licence,
        )
