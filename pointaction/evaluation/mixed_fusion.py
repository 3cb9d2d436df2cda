"""What late fusion brings where motion and appearance each know half of the label.

The two stages of TrAction's appendix D: a head on the CLS token and a probe on the backbone's
tokens learn the labels, each by itself; both stay as they are, and a linear layer is trained above
them with a schedule of its own. Unlike there, the layer learns from clips that the branches have
not: of the few that they have seen, the probe knows every label by heart, and the layer would
believe it in all.

Shapes:  n clips   S tokens   C, D widths of appearance and motion   L labels
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from pointaction.appearance.backbone import Backbone, Features
from pointaction.errors import InputError
from pointaction.evaluation.metrics import Accuracy
from pointaction.evaluation.mixed import Mixed, Watched
from pointaction.evaluation.report import Table
from pointaction.models.fusion import LateFusion, Scores
from pointaction.models.probe import AttentiveProbe, ProbeConfig
from pointaction.models.traction import TrackEncoder, TrAction
from pointaction.training.schedule import warmup_cosine

_TOGETHER = 16  # clips that are looked at at once
_HEADS = 12  # of the probe, the paper's; fewer where they do not divide its width


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """AdamW with a warm-up and half a cosine."""

    steps: int
    learning_rate: float
    weight_decay: float
    batch: int = 64


PROBE = Schedule(steps=400, learning_rate=1e-3, weight_decay=0.05)
LINEAR = Schedule(steps=800, learning_rate=1e-2, weight_decay=0.5)


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
    width = looked.tokens.shape[-1]
    heads = max(count for count in range(1, _HEADS + 1) if width % count == 0)
    config = ProbeConfig(width=width, classes=mixed.classes, heads=heads, told_time=True)
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))  # initial weights
        reads, motion = AttentiveProbe(config), TrAction(encoder, classes=mixed.classes)
        told = looked.tokens[taught]

        def wrong(rows: Tensor) -> Tensor:
            return cross_entropy(reads(told[rows], looked.time), labels[taught][rows])

        descend(reads.parameters(), wrong, len(told), probe, generator)
        fit_linear(motion.head, cls[taught], labels[taught], linear, generator)
        model = LateFusion(motion.eval(), reads)
        beside = torch.cat([_embedded(reads, looked), cls], 1)
        fit_linear(model.head, beside[fused], labels[fused], linear, generator)
    said = _answers(model.eval(), watched, looked, tested)
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


def descend(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[Tensor], Tensor],
    count: int,
    schedule: Schedule,
    generator: Generator,
) -> None:
    """Minimise the `loss` of some of `count` rows, a few at a time by chance."""
    optimiser = torch.optim.AdamW(
        parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    for step in range(schedule.steps):
        rows = torch.randint(count, (schedule.batch,), generator=generator)
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * warmup_cosine(step, steps=schedule.steps)
        optimiser.zero_grad(set_to_none=True)
        loss(rows).backward()
        optimiser.step()


def fit_linear(
    layer: nn.Linear, facts: Tensor, labels: Tensor, schedule: Schedule, generator: Generator
) -> None:
    """Train a layer on facts (n, in) as if each had mean 0 and deviation 1."""
    middle, spread = facts.mean(0), facts.std(0).clamp(min=1e-4)
    even = (facts - middle) / spread
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)

    def wrong(rows: Tensor) -> Tensor:
        return cross_entropy(layer(even[rows]), labels[rows])

    descend(layer.parameters(), wrong, len(even), schedule, generator)
    with torch.no_grad():
        layer.weight /= spread
        layer.bias.sub_(layer.weight @ middle)


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


def _embedded(probe: AttentiveProbe, looked: Features) -> Tensor:
    """(n, C)"""
    with torch.no_grad():
        return torch.cat(
            [probe.embed(looked.tokens[few], looked.time) for few in _in_turn(len(looked.tokens))]
        )


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
