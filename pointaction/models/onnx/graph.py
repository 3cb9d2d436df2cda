"""A model as an ONNX graph, opened by ONNX Runtime.

Shapes:  B clips   N tracks   T frames   C labels   H heads   D width
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pointaction.errors import DamagedWeights, MissingExtra
from pointaction.models.traction import Answer

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_AGAIN = "remove it, and it is made again"
_FASTEST_FIRST = ("CUDAExecutionProvider", "CPUExecutionProvider")


class Graph:
    """Asked as the torch module that it was exported from; any B and N."""

    def __init__(self, session: "InferenceSession") -> None:
        self.session = session

    @classmethod
    def open(cls, path: Path, *, sha256: str) -> "Graph":
        """The graph of `path`, made of the weights with this digest.

        It runs on a GPU where `onnxruntime-gpu` finds one, else on as many threads as torch.
        Raises DamagedWeights where it is of other weights or none, MissingExtra without ONNX
        Runtime.
        """
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as faults
        except ImportError:
            raise MissingExtra("ONNX Runtime", "onnx") from None

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors; the rest is about its own optimisation
        there = onnxruntime.get_available_providers()
        providers = [name for name in _FASTEST_FIRST if name in there]
        try:
            session = onnxruntime.InferenceSession(path, options, providers=providers)
        except (
            faults.Fail,
            faults.InvalidArgument,
            faults.InvalidGraph,
            faults.InvalidProtobuf,
            faults.NoSuchFile,
        ) as error:
            raise DamagedWeights(f"{path} is no graph ({error}); {_AGAIN}") from None
        found = session.get_modelmeta().custom_metadata_map.get("sha256", "none")
        if found != sha256:
            raise DamagedWeights(
                f"{path} was made of weights {found[:12]}, not of {sha256[:12]}; {_AGAIN}",
                limit=sha256,
                value=found,
            )
        return cls(session)

    def run(self, geometry: Tensor, visible: Tensor) -> Sequence[Tensor]:
        """Every output for geometry (B, N, T, 3) with visible (B, N, T), in its own order."""
        given = {"geometry": geometry.numpy(), "visible": visible.numpy()}
        return [torch.from_numpy(output) for output in self.session.run(None, given)]

    def answer(self, geometry: Tensor, visible: Tensor) -> Answer:
        """Of a classifier, as `TrAction.answer`."""
        return Answer(*self.run(geometry, visible))
