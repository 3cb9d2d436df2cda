"""Frozen networks that describe clips for matchers, a few clips at a time.

Shapes:  B clips   N tracks   T frames   D width
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from pointaction.count import Count
from pointaction.errors import InputError
from pointaction.evaluation.performances import FRAMES, Inputs
from pointaction.fewshot.features import Features, Part
from pointaction.fewshot.track_features import (
    PATCH_WIDTH,
    embed_moments,
    motion_patches,
    some_tracks,
)
from pointaction.models.strm import STRM
from pointaction.models.traction import TrackEncoder
from pointaction.models.trokens import Trokens, frame_vectors, on_clock

CLOCK = FRAMES
"""Frames of what all of them are given, so that each clip is prepared once."""


class Describer(Protocol):
    def describe(self, inputs: Inputs, parts: Collection[Part]) -> list[Features]:
        """Each clip with those of the parts that this network has."""
        ...


@dataclass(frozen=True)
class ByTrAction(Describer):
    """As `pointaction.fewshot.track_features.describe`; windows of a clip are its moments."""

    encoder: TrackEncoder

    def describe(self, inputs: Inputs, parts: Collection[Part]) -> list[Features]:
        told: dict[Part, Tensor] = {}
        if "clip" in parts:
            told["clip"] = self.encoder.embed(inputs.geometry, inputs.visible)
        if "frames" in parts:
            told["frames"] = embed_moments(self.encoder, inputs.geometry, inputs.visible)
        if "patches" in parts:
            told["patches"] = motion_patches(inputs.geometry, inputs.visible)
        if "motion" in parts:
            told["motion"] = some_tracks(inputs.geometry, inputs.visible)
        return _clip_by_clip(told)


@dataclass(frozen=True)
class ByTrokens(Describer):
    """A model of motion alone."""

    model: Trokens

    def describe(self, inputs: Inputs, parts: Collection[Part]) -> list[Features]:
        frames = self.model.config.frames
        encoded = self.model(*on_clock(inputs.geometry, inputs.visible, frames))
        return _clip_by_clip({"clip": encoded.cls, "frames": frame_vectors(encoded)})


@dataclass(frozen=True)
class BySTRM(Describer):
    """Frames that know their patches and each other, and what its own classifiers take."""

    head: STRM

    def describe(self, inputs: Inputs, parts: Collection[Part]) -> list[Features]:
        config = self.head.config
        patches = motion_patches(
            inputs.geometry, inputs.visible, moments=config.frames, cells=config.patches
        )
        frames = self.head.enrich(patches).frames
        return _clip_by_clip({"clip": frames.mean(1), "frames": frames, "patches": patches})


def describer_for(network: nn.Module) -> Describer:
    """How a network describes clips from tracks alone; InputError where it does not."""
    if isinstance(network, TrackEncoder) and network.config.frames == CLOCK:
        return ByTrAction(network)
    if isinstance(network, Trokens) and network.config.appearance is None:
        return ByTrokens(network)
    if isinstance(network, STRM) and network.config.inputs == PATCH_WIDTH:
        return BySTRM(network)
    raise InputError(
        f"this {type(network).__name__} does not describe clips from {CLOCK} frames of tracks alone"
    )


def describe_all(
    watched: Iterable[Inputs],
    describers: Mapping[str, Describer],
    *,
    parts: Collection[Part],
    total: int,
    progress: Count,
) -> dict[str, list[Features]]:
    """All clips, in order, by the name of who describes them; `total` is their number."""
    told: dict[str, list[Features]] = {name: [] for name in describers}
    done = 0
    for inputs in watched:
        with torch.inference_mode():
            for name, describer in describers.items():
                told[name] += describer.describe(inputs, parts)
        done += len(inputs.geometry)
        progress(done, total)
    return told


def _clip_by_clip(told: Mapping[Part, Tensor]) -> list[Features]:
    count = len(next(iter(told.values())))
    return [
        Features(**{part: tensor[row].clone() for part, tensor in told.items()})
        for row in range(count)
    ]
