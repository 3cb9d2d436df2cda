"""What computes a model's answers from its weights: torch, or ONNX Runtime.

The registry is a dict. Nothing here needs torch before a backend is opened, so that a web process
can say which one answers. Only models that are asked about tracks alone have a choice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pointaction.models.catalog import TORCH, Entry
from pointaction.whole import written_whole

if TYPE_CHECKING:
    from pointaction.models.traction import TrAction
    from pointaction.models.views import Asked

Wish = Literal["auto", "torch", "torch-bf16", "onnx", "onnx-int8"]
AUTO: Wish = "auto"  # what `pointaction models tune` has found to be best here; torch before that


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A way to compute what a model says."""

    says: str  # what it is, in one line
    open: Callable[[TrAction, Entry, Path], Asked]  # with the data folder
    rounds: bool  # more than float32 does: answers may be others


def _torch(model: TrAction, entry: Entry, data: Path) -> Asked:
    return model


def _torch_bf16(model: TrAction, entry: Entry, data: Path) -> Asked:
    from pointaction.models.rounded import Rounded

    return Rounded(model)


def _onnx(model: TrAction, entry: Entry, data: Path) -> Asked:
    from pointaction.models.onnx.kept import kept_graph

    return kept_graph(model, entry, data / "graphs")


def _onnx_int8(model: TrAction, entry: Entry, data: Path) -> Asked:
    from pointaction.models.onnx.kept import kept_graph

    return kept_graph(model, entry, data / "graphs", int8=True)


BACKENDS: dict[str, Backend] = {
    TORCH: Backend(says="torch in float32", open=_torch, rounds=False),
    "torch-bf16": Backend(says="torch, products in bfloat16", open=_torch_bf16, rounds=True),
    "onnx": Backend(says="ONNX Runtime in float32", open=_onnx, rounds=False),
    "onnx-int8": Backend(says="ONNX Runtime, products in int8", open=_onnx_int8, rounds=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which backend is best for a model on this machine, and by what it was chosen."""

    backend: str
    model: str  # NAME@VERSION
    circumstances: dict[str, str]
    figures: dict[str, dict[str, float | None]]  # by backend: ms, and points of accuracy gained

    def save(self, data: Path, entry: Entry) -> Path:
        """In the data folder, at once; returns the file."""
        path = _choice_file(data, entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            part.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        return path


def computed(entry: Entry, wish: Wish, data: Path) -> Entry:
    """The entry with the backend that answers for it, by what the operator wishes."""
    if entry.looks:
        return entry
    return replace(entry, backend=_chosen(data, entry) if wish == AUTO else wish)


def _chosen(data: Path, entry: Entry) -> str:
    """What was found best for these weights; torch where nobody has looked."""
    try:
        backend = json.loads(_choice_file(data, entry).read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return TORCH
    return backend if backend in BACKENDS else TORCH


def _choice_file(data: Path, entry: Entry) -> Path:
    return data / "backends" / f"{entry.name}-{entry.sha256[:16]}.json"
