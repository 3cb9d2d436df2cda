"""What late fusion brings where motion and appearance each know half of the label.

A head on the CLS token and a probe on the backbone's tokens learn the labels, each by itself; both
stay as they are, and a linear layer is trained above them (`training.probing`). It learns from
clips that the branches have not.

Shapes:  n clips   S tokens   C, D widths of appearance and motion   L labels
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from pointaction.appearance.backbone import Backbone, Features
from pointaction.errors import InputError
from pointaction.evaluation.metrics import Accuracy
from pointaction.evaluation.mixed import Mixed, Watched
from pointaction.evaluation.report import Table
from pointaction.models.fusion import LateFusion, Scores
from pointaction.models.traction import TrackEncoder, TrAction
from pointaction.training.probing import (
    LINEAR,
    PROBE,
    Schedule,
    embed_clips,
    fit_linear,
    train_fusion,
    train_probe,
)

_TOGETHER = 16  # clips that are looked at at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """How often an answer is right, and how often each half of it is."""

    label: Accuracy
    motion: Accuracy
    identity: Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What each branch says alone, and both together, of the tested clips."""

    motion: Right
    appearance: Right
    fused: Right

    def table(self) -> Table:
        rows = {"motion alone": self.motion, "appearance alone": self.appearance}
        return Table(
            corner="branch",
            columns=("label", "its motion", "its identity"),
            rows={
                name: (right.label, right.motion, right.identity)
                for name, right in (rows | {"fused": self.fused}).items()
            },
        )


def measure_gain(
    mixed: Mixed,
    watched: Watched,
    encoder: TrackEncoder,
    backbone: Backbone,
    *,
    generator: Generator,
    probe: Schedule = PROBE,
    linear: Schedule = LINEAR,
) -> tuple[LateFusion, Gain]:
    """Train both stages, the encoder as it is, and test; `generator` is the chance of training.

    Raises InputError for an encoder on another clock than the clips'.
    """
    if encoder.config.frames != watched.geometry.shape[2]:
        raise InputError(
            f"the clips were kept on a clock of {watched.geometry.shape[2]} frames, and this model "
            f"counts {encoder.config.frames}; choose another --model"
        )
    labels, (taught, fused, tested) = mixed.labels, mixed.parts
    cls = _moved(encoder, watched)
    looked = _looked(backbone, watched)
    reads = train_probe(
        lambda rows: looked.tokens[taught][rows],
        looked.time,
        labels[taught],
        width=looked.tokens.shape[-1],
        classes=mixed.classes,
        told_time=True,
        generator=generator,
        schedule=probe,
    )
    motion = TrAction(encoder, classes=mixed.classes).eval()
    fit_linear(motion.head, cls[taught], labels[taught], linear, generator)
    rows = torch.arange(len(labels))[fused]
    seen = embed_clips(reads, lambda few: looked.tokens[few], looked.time, rows)
    model = train_fusion(
        motion, reads, cls[fused], seen, labels[fused], generator=generator, schedule=linear
    )
    said = _answers(model, watched, looked, tested)
    return model, Gain(
        motion=count_right(mixed, said.motion.argmax(-1)),
        appearance=count_right(mixed, said.appearance.argmax(-1)),
        fused=count_right(mixed, said.fused.argmax(-1)),
    )


def count_right(mixed: Mixed, answers: Tensor) -> Right:
    """Of answers to the tested clips, in order."""
    labels, each = mixed.labels[mixed.parts[2]], mixed.identities
    return Right(
        label=Accuracy.of(answers == labels),
        motion=Accuracy.of(answers // each == labels // each),
        identity=Accuracy.of(answers % each == labels % each),
    )


def _in_turn(count: int) -> Iterator[slice]:
    return (slice(start, start + _TOGETHER) for start in range(0, count, _TOGETHER))


def _moved(encoder: TrackEncoder, watched: Watched) -> Tensor:
    """CLS of every clip, (n, D)."""
    encoder.eval()
    with torch.no_grad():
        return torch.cat(
            [
                encoder(watched.geometry[few], watched.visible[few]).cls
                for few in _in_turn(len(watched.geometry))
            ]
        )


def _looked(backbone: Backbone, watched: Watched) -> Features:
    """Tokens of every clip, (n, S, C); identities differ in proportions, so one at a time."""
    each = [backbone.features(pictures) for pictures in watched.pictures]
    return Features(torch.cat([found.tokens for found in each]), each[0].time)


def _answers(model: LateFusion, watched: Watched, looked: Features, rows: slice) -> Scores:
    """What all three say of some clips."""
    geometry, visible = watched.geometry[rows], watched.visible[rows]
    tokens = looked.tokens[rows]
    with torch.inference_mode():
        parts = [
            model(geometry[few], visible[few], tokens[few], looked.time)[0]
            for few in _in_turn(len(geometry))
        ]
    return Scores(*(torch.cat(each) for each in zip(*parts, strict=True)))
