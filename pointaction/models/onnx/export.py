"""Models as ONNX graphs, each compared with torch before it is kept.

A graph takes any number of clips and tracks. What it was made of stands in its metadata: name,
version, SHA-256 of the weights, labels, opset, and what its products are computed in.

Shapes:  B clips   N tracks   T frames   D width
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from pointaction.errors import MissingExtra, PointActionError
from pointaction.models.catalog import Entry
from pointaction.models.onnx.graph import Graph
from pointaction.models.traction import Answer, TrackEncoder, TrAction
from pointaction.whole import written_whole

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 23  # the first that has attention as one node
LIMIT = 1e-4  # how far outputs may be from torch's
_EXAMPLE = (2, 16)  # clips and tracks to export with
_TRIED = ((1, 1), (1, 7), (3, 50), (2, 300))  # to compare with


class Classifier(nn.Module):
    """What `TrAction.answer` tells."""

    outputs = Answer._fields

    def __init__(self, model: TrAction) -> None:
        super().__init__()
        self.model = model
        self.config = model.encoder.config

    def forward(self, geometry: Tensor, visible: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.model.answer(geometry, visible))


class Encoder(nn.Module):
    """What few-shot classifiers compare: the clip (B, D), its tracks (B, N, D), and attention."""

    outputs = ("embedded", "tracks", "attention")

    def __init__(self, encoder: TrackEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = encoder.config

    def forward(self, geometry: Tensor, visible: Tensor) -> tuple[Tensor, ...]:
        cls, tracks, attention = self.encoder(geometry, visible)
        return cls - self.encoder.middle, tracks, attention


Part = Classifier | Encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far a graph is from torch with so many clips of so many tracks."""

    clips: int
    tracks: int
    largest: dict[str, float]  # by output

    def __str__(self) -> str:
        told = ", ".join(f"{name} {largest:.1e}" for name, largest in self.largest.items())
        return f"{self.clips} x {self.tracks} tracks: {told}"


def write_graph(part: Part, entry: Entry, path: Path) -> list[Difference]:
    """Export a part of the entry's model to `path`; tells how far it is from torch.

    Raises MissingExtra without the exporter, and PointActionError where it is farther than LIMIT:
    then there is no file.
    """
    part.eval()
    proto = _exported(part)
    import onnx

    about = {
        "name": entry.name,
        "version": entry.version,
        "sha256": entry.sha256,
        "labels": json.dumps(entry.labels, ensure_ascii=False),
        "opset": str(OPSET),
        "arithmetic": "float32",
    }
    onnx.helper.set_model_props(proto, about)
    with written_whole(path) as written:
        onnx.save(proto, written)
        graph = Graph.open(written, sha256=entry.sha256)
        found = differences(part, graph, generator=Generator().manual_seed(0))
        far = [each for each in found if max(each.largest.values()) > LIMIT]
        if far:
            written.unlink()
            raise PointActionError(
                f"as a graph {entry.pinned} answers otherwise than in torch ({far[0]}), where "
                f"{LIMIT} is allowed; serve it with POINTACTION_BACKEND=torch"
            )
    return found


def differences(part: Part, graph: Graph, *, generator: Generator) -> list[Difference]:
    """Between torch and a graph, on random walks of several numbers of clips and tracks."""
    found = []
    for clips, tracks in _TRIED:
        given = _random_walks(clips, tracks, part.config.frames, generator)
        with torch.inference_mode():
            told = zip(part.outputs, part(*given), graph.run(*given), strict=True)
            largest = {name: float((ours - its).abs().max()) for name, ours, its in told}
        found.append(Difference(clips=clips, tracks=tracks, largest=largest))
    return found


def _random_walks(
    clips: int, tracks: int, frames: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Geometry (B, N, T, 3) within the picture, and visibility (B, N, T) of nine in ten."""
    shape = (clips, tracks, frames)
    steps = torch.randn(*shape, 3, generator=generator) / frames
    return 0.5 + steps.cumsum(2), torch.rand(shape, generator=generator) < 0.9


def _exported(part: Part) -> "ModelProto":
    try:
        import onnxscript  # noqa: F401  the exporter's own error does not say how to get it
    except ImportError:
        raise MissingExtra("exporting a model", "onnx") from None

    given = _random_walks(*_EXAMPLE, part.config.frames, Generator().manual_seed(0))
    clips, tracks = torch.export.Dim("clips"), torch.export.Dim("tracks")
    free = {0: clips, 1: tracks}
    with _without_its_own_warnings():
        program = torch.onnx.export(
            part,
            given,
            dynamo=True,
            verbose=False,
            optimize=False,  # ONNX Runtime does so when it opens one, in less time
            opset_version=OPSET,
            input_names=("geometry", "visible"),
            output_names=part.outputs,
            dynamic_shapes={"geometry": free, "visible": free},
        )
    assert program is not None  # as always with `dynamo`
    return program.model_proto


@contextmanager
def _without_its_own_warnings() -> Iterator[None]:
    """The exporter tells of torchvision, which nothing here needs, and of its own old calls."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*axis name: .* will not be used")
            yield
    finally:
        log.setLevel(level)
