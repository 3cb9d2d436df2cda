"""Graphs that a service makes for itself, once for each model and arithmetic, and keeps."""

from pathlib import Path

from pointaction.alone import alone
from pointaction.models.catalog import Entry
from pointaction.models.onnx.export import Classifier, write_graph
from pointaction.models.onnx.graph import Graph
from pointaction.models.onnx.quantise import write_int8_graph
from pointaction.models.traction import TrAction
from pointaction.version import PIPELINE_VERSION


def kept_graph(model: TrAction, entry: Entry, folder: Path, *, int8: bool = False) -> Graph:
    """The classifier as a graph out of `folder`; made there first, from the entry's own weights.

    Takes seconds the first time; of several processes one makes it, and the others wait. Raises as
    `write_graph` and `Graph.open` do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{entry.name}-{entry.sha256[:16]}-{PIPELINE_VERSION}"
    exact, rounded = folder / f"{name}-float32.onnx", folder / f"{name}-int8.onnx"
    with alone(folder):
        if not exact.exists():
            write_graph(Classifier(model), entry, exact)
        if int8 and not rounded.exists():
            Graph.open(exact, sha256=entry.sha256)  # refuses one of other weights
            write_int8_graph(exact, rounded)
    return Graph.open(rounded if int8 else exact, sha256=entry.sha256)
