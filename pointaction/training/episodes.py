"""Episodic training on the procedural world: to tell actions apart from a few examples of each.

A batch shows some classes, each performed several times. Its clips are described once, and several
episodes are drawn out of them: to compare costs little beside describing.

Shapes:  B clips of a batch   n examples   Q queries
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from pointaction.errors import InputError
from pointaction.evaluation.fewshot import FewShot, Trial, evaluate_episodes
from pointaction.fewshot.episodes import sample_episode
from pointaction.fewshot.track_features import PATCH_WIDTH, motion_patches
from pointaction.models.fewshot import Network, kind, load_network
from pointaction.models.files import save_network
from pointaction.models.strm import QUERY_CLASS_SHARE, STRM, Enriched, strm_tiny
from pointaction.models.trokens import (
    Trokens,
    episode_logits,
    frame_vectors,
    on_clock,
    trokens_tiny,
)
from pointaction.synthetic.batches import Mixture
from pointaction.synthetic.vocabulary import LABELS
from pointaction.training.batch import Batch
from pointaction.training.episode_batches import EpisodeBatches, Show, Split
from pointaction.training.logbook import LogBook
from pointaction.training.loop import Report, Run, optimise
from pointaction.training.objectives import Objective
from pointaction.training.processes import is_first
from pointaction.training.recipes import Recipe

_EXAMS, _BEST = "validation", "best.safetensors"  # in the run's folder

Told = tuple[Tensor, ...]
"""What a network made of clips: tensors (B, ...)."""


class Pupil(Protocol):
    """A network, and how it is asked in an episode."""

    shares: ClassVar[tuple[float, ...]]  # what each of its classifiers counts, in loss and answer

    @property
    def network(self) -> Network: ...

    def describe(self, batch: Batch) -> Told: ...

    def compare(self, support: Told, labels: Tensor, query: Told) -> tuple[Tensor, ...]:
        """What each classifier says, (Q, ways); labels (n,) of the examples are 0 to ways - 1."""
        ...

    def beside(self, told: Told, batch: Batch) -> Tensor:
        """A loss of the whole batch, beside that of its episodes."""
        ...


@dataclass(frozen=True)
class TrokensPupil:
    """Set matching of frames; beside it the names of what has one (`trokens.episode_loss`)."""

    shares: ClassVar[tuple[float, ...]] = (1.0,)
    network: Trokens

    def describe(self, batch: Batch) -> Told:
        encoded = self.network(*on_clock(batch.geometry, batch.visible, self.network.config.frames))
        return frame_vectors(encoded), encoded.logits

    def compare(self, support: Told, labels: Tensor, query: Told) -> tuple[Tensor, ...]:
        return (episode_logits(support[0], labels, query[0]),)

    def beside(self, told: Told, batch: Batch) -> Tensor:
        named = batch.label >= 0
        if not named.any():
            return told[1].new_zeros(())
        wrong = cross_entropy(
            told[1][named], batch.label[named], label_smoothing=0.1, reduction="sum"
        )
        return wrong / len(named)  # a name counts as much as a clip of an episode, no more


@dataclass(frozen=True)
class STRMPupil:
    """Tuples of frames and query-class similarity (STRM, equation 10), on motion in a grid."""

    shares: ClassVar[tuple[float, ...]] = (1.0, QUERY_CLASS_SHARE)
    network: STRM

    def describe(self, batch: Batch) -> Told:
        return self.network.enrich(patches(batch))

    def compare(self, support: Told, labels: Tensor, query: Told) -> tuple[Tensor, ...]:
        return self.network.compare(Enriched(*support), labels, Enriched(*query))

    def beside(self, told: Told, batch: Batch) -> Tensor:
        return told[0].new_zeros(())


NEW: dict[str, Callable[[], Network]] = {
    "trokens": lambda: trokens_tiny(len(LABELS)),
    "strm": lambda: strm_tiny(PATCH_WIDTH),
}
"""What can be trained, before it has learnt anything; initial weights are of torch's own chance."""


def balance(layer: nn.Linear, inputs: Tensor) -> None:
    """Let a first layer begin as if all `inputs` (..., n) had mean 0 and variance 1.

    Otherwise it sees little but the loudest: of a cell, how many points happen to be there.
    """
    rows = inputs.flatten(0, -2)
    with torch.no_grad():
        layer.weight /= rows.std(0).clamp(min=1e-3)
        layer.bias.copy_(-layer.weight @ rows.mean(0))


def patches(batch: Batch) -> Tensor:
    return motion_patches(batch.geometry, batch.visible)


def pupil_for(network: nn.Module) -> Pupil:
    """How the network is asked; InputError where it is not made for tracks alone."""
    if isinstance(network, Trokens) and network.config.appearance is None:
        return TrokensPupil(network)
    if isinstance(network, STRM) and network.config.inputs == PATCH_WIDTH:
        return STRMPupil(network)
    raise InputError(f"this {type(network).__name__} does not learn from tracks alone")


@dataclass(frozen=True, kw_only=True)
class EpisodeRecipe(Recipe):
    """A step sees `batch` clips of named motions and `performances` of each of `programs`."""

    ways: int = 5
    shots: int = 1  # the other performances of a class are queries
    episodes: int = 8  # that are drawn out of a batch
    every: int = 100  # steps between examinations
    exam: int = 6  # batches of clips for one

    @property
    def show(self) -> Show:
        return Show(
            named=self.batch // self.performances,
            programs=self.programs,
            performances=self.performances,
        )


def episodes(pupil: Pupil, recipe: EpisodeRecipe, *, seed: int) -> Objective:
    """Tell classes of a batch apart from `shots` examples of each.

    Measures: "right", the share of queries that were answered rightly.
    """

    def objective(batch: Batch, number: int) -> dict[str, Tensor]:
        assert batch.group is not None  # `EpisodeBatches` groups
        chance = Generator().manual_seed(seed * 1_000_003 + number)
        told = pupil.describe(batch)
        losses, right = [], []
        for _ in range(recipe.episodes):
            episode = sample_episode(
                batch.group.cpu(),
                ways=recipe.ways,
                shots=recipe.shots,
                queries=recipe.performances - recipe.shots,
                generator=chance,
            )
            said = ask(pupil, told, episode.support, episode.query.flatten())
            truth = torch.arange(recipe.ways, device=batch.group.device)
            truth = truth.repeat_interleave(episode.query.shape[1])
            wrong = [cross_entropy(logits, truth) for logits in said]
            losses.append(together(pupil, wrong))
            right.append((together(pupil, said).argmax(-1) == truth).float().mean())
        beside = pupil.beside(told, batch)
        return {
            "loss": torch.stack(losses).mean() + beside,
            "right": torch.stack(right).mean(),
            "beside": beside.detach(),
        }

    return objective


def ask(pupil: Pupil, told: Told, support: Tensor, query: Tensor) -> tuple[Tensor, ...]:
    """What each classifier says, (Q, ways), to clips `query` (Q,) by `support` (ways, shots)."""
    ways, shots = support.shape
    labels = torch.arange(ways, device=told[0].device).repeat_interleave(shots)
    examples = tuple(part[support.flatten()] for part in told)
    return pupil.compare(examples, labels, tuple(part[query] for part in told))


def together(pupil: Pupil, said: Sequence[Tensor]) -> Tensor:
    """The answers of all classifiers as one, or their losses."""
    parts = [share * logits for share, logits in zip(pupil.shares, said, strict=True)]
    return torch.stack(parts).sum(0)


@dataclass(frozen=True, kw_only=True)
class Exam:
    """Clips of one split, and the episodes that are asked about them: each time the same ones."""

    batches: list[Batch]
    labels: Tensor  # (n,) of all clips
    trial: Trial

    @classmethod
    def of(cls, recipe: EpisodeRecipe, split: Split, trial: Trial) -> "Exam":
        """Batches of a training run's kind, with classes of another split."""
        shown = shown_by(recipe, split, seed=0)
        found = [shown[number] for number in range(recipe.exam)]
        # The same name is the same class in all batches; nothing without a name is in two of them.
        clips = torch.arange(len(found) * len(found[0].label))
        nameless = len(LABELS) + clips // recipe.performances
        label = torch.cat([each.label for each in found])
        return cls(batches=found, labels=torch.where(label >= 0, label, nameless), trial=trial)

    def sit(self, pupil: Pupil, *, shots: int) -> FewShot:
        """Accuracy of the network as it is, and its interval over the episodes."""
        network = pupil.network
        was_training, device = network.training, next(network.parameters()).device
        network.eval()
        with torch.inference_mode():
            parts = [pupil.describe(batch.to(device)) for batch in self.batches]
            told = tuple(torch.cat(each) for each in zip(*parts, strict=True))
            found = evaluate_episodes(
                self.labels,
                lambda support, query: together(pupil, ask(pupil, told, support, query)).cpu(),
                self.trial,
                shots=shots,
            )
        network.train(was_training)
        return found


def examine(network: Network, recipe: EpisodeRecipe, trial: Trial, *, shots: int) -> FewShot:
    """Accuracy on test classes, which neither training nor the choice of weights has seen."""
    # As many performances as an episode needs, and half as many again to choose from.
    performances = 3 * (shots + trial.queries) // 2
    named = recipe.batch // recipe.performances
    shown = replace(recipe, batch=named * performances, performances=performances)
    return Exam.of(shown, "test", trial).sit(pupil_for(network), shots=shots)


def shown_by(recipe: EpisodeRecipe, split: Split, *, seed: int) -> EpisodeBatches:
    mixture = Mixture(named=0, frames=recipe.frames, tracks=recipe.tracks)
    return EpisodeBatches(recipe.show, mixture, split=split, seed=seed)


def with_exams(
    report: Report,
    run: Run,
    pupil: Pupil,
    exam: Exam,
    examined: Callable[[int, FewShot], None],
) -> Report:
    """A report that also examines the network, every so many steps, and keeps the best weights."""
    recipe = _recipe(run)

    def reported(step: int, measures: dict[str, float]) -> None:
        report(step, measures)
        if step % recipe.every and step != recipe.steps:
            return
        found = exam.sit(pupil, shots=recipe.shots)
        before = best_so_far(run.folder, step - 1)
        if before is None or found.mean > before[1]:
            save_network(pupil.network, run.folder / _BEST, half=False)
        with LogBook(run.folder / _EXAMS, start=step - 1) as book:
            book.write(step, {"accuracy": found.mean, "half_width": found.half_width})
        examined(step, found)

    return reported


def best_so_far(folder: Path, last: int) -> tuple[int, float] | None:
    """The step up to `last` at which a run did best, and its accuracy; None: no examination yet."""
    path = folder / _EXAMS / "losses.csv"
    if not path.exists():
        return None
    with path.open() as file:
        found = {int(row["step"]): float(row["accuracy"]) for row in csv.DictReader(file)}
    steps = [step for step in found if step <= last]
    best = max(steps, key=lambda step: (found[step], -step), default=None)
    return None if best is None else (best, found[best])


@dataclass(frozen=True, kw_only=True)
class Learnt:
    network: Network  # as it was when it did best
    steps: int  # done so far; fewer than the recipe's when the time was over
    best: tuple[int, float] | None  # the step of that and its accuracy; None: no examination yet


def train_episodes(
    run: Run, report: Report, *, trial: Trial, examined: Callable[[int, FewShot], None]
) -> Learnt:
    """Train the recipe's network; call again to go on after an interruption.

    Now and then it is examined on validation classes: `validation/` in the run's folder has the
    figures, `best.safetensors` the weights that did best.
    """
    recipe = _recipe(run)
    shown = shown_by(recipe, "train", seed=run.seed)
    network = _given(run.start, recipe.builder) if run.start else _new(run, shown[0])
    pupil = pupil_for(network)
    exam = Exam.of(recipe, "validation", trial)
    steps = optimise(
        run,
        network,
        episodes(pupil, recipe, seed=run.seed),
        shown,
        with_exams(report, run, pupil, exam, examined),
    )
    best = best_so_far(run.folder, steps) if is_first() else None
    return Learnt(
        network=load_network(run.folder / _BEST) if best else network.cpu().eval(),
        steps=steps,
        best=best,
    )


def _new(run: Run, shown: Batch) -> Network:
    torch.manual_seed(run.seed)  # initial weights
    network = NEW[run.recipe.builder]()
    if isinstance(network, STRM):
        balance(network.widen, patches(shown))
    elif isinstance(network, Trokens):
        seen = on_clock(shown.geometry, shown.visible, network.config.frames)
        balance(network.hod_motion_module.fc2.c_fc, network.displacements(*seen))
    return network


def _given(path: Path, wanted: str) -> Network:
    network = load_network(path)
    if kind(network) != wanted:
        raise InputError(f"{path} holds {kind(network)}, not {wanted}")
    return network


def _recipe(run: Run) -> EpisodeRecipe:
    assert isinstance(run.recipe, EpisodeRecipe)  # whoever made the run saw to it
    return run.recipe


def trokens() -> EpisodeRecipe:
    """From motion alone; short clips of few tracks, for a CPU."""
    return EpisodeRecipe(
        builder="trokens",
        steps=3000,
        learning_rate=2e-3,
        batch=8,
        programs=12,
        performances=4,
        ways=14,
        episodes=4,
        tracks=(32, 48),
    )


def strm() -> EpisodeRecipe:
    """On motion in the cells of a grid, which is cheap to describe."""
    return EpisodeRecipe(
        builder="strm",
        steps=3000,
        learning_rate=1e-3,
        batch=20,
        programs=15,
        performances=5,
        ways=10,
        episodes=4,
        tracks=(48, 96),
    )


RECIPES: dict[str, Callable[[], EpisodeRecipe]] = {"trokens": trokens, "strm": strm}
