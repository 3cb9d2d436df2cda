"""How well clips of actions that nobody was taught are told apart: many small episodes.

A contender is anything that says how near queries are to the examples of each class: a frozen
encoder, or a baseline without learning. All are asked the same episodes about the same tracks.

Shapes:  n clips   D width of the features   S shots   Q queries   E episodes
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from pointaction.choices import chosen
from pointaction.evaluation.baselines import (
    equal_strength,
    hof_mbh,
    mean_motion,
    warped_distances,
)
from pointaction.evaluation.followed import Followed
from pointaction.evaluation.report import Table
from pointaction.fewshot.episodes import sample_episode
from pointaction.fewshot.prototypes import similarities
from pointaction.models.catalog import find
from pointaction.models.store import BUILDERS, load_model
from pointaction.models.traction import TrackEncoder
from pointaction.pipeline import inputs
from pointaction.tracks import Tracks
from pointaction.training.checkpoints import load_encoder

Contender = Callable[[Tensor, Tensor], Tensor]
"""Scores (Q, ways) for support (ways, S) and queries (Q,), both indices of clips; most wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Which episodes are asked. Equal trials ask the same ones, whoever is asked."""

    ways: int = 5
    queries: int = 5  # per class and episode
    episodes: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShot:
    """Mean accuracy over episodes."""

    mean: float
    half_width: float  # of its 95 % interval over episodes
    shots: int

    @classmethod
    def over(cls, accuracies: Tensor, shots: int) -> "FewShot":
        """The mean of the episodes' accuracies (E,)."""
        spread = accuracies.std().item() if len(accuracies) > 1 else math.nan
        return cls(
            mean=accuracies.mean().item(),
            half_width=1.96 * spread / math.sqrt(len(accuracies)),
            shots=shots,
        )

    def __str__(self) -> str:
        return f"{self.mean:.1%} ± {self.half_width:.1%}"


def answers(
    labels: Tensor, contender: Contender, trial: Trial, *, shots: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Per episode the clips asked about and the labels answered, both (Q,)."""
    generator = Generator().manual_seed(trial.seed)
    for _ in range(trial.episodes):
        episode = sample_episode(
            labels, ways=trial.ways, shots=shots, queries=trial.queries, generator=generator
        )
        query = episode.query.flatten()
        choice = contender(episode.support, query).argmax(-1)
        yield query, labels[episode.support[:, 0]][choice]


def accuracies(labels: Tensor, contender: Contender, trial: Trial, *, shots: int) -> Tensor:
    """Accuracy (E,) on clips with `labels` (n,), episode by episode."""
    return torch.tensor(
        [
            (said == labels[query]).float().mean()
            for query, said in answers(labels, contender, trial, shots=shots)
        ]
    )


def evaluate_episodes(labels: Tensor, contender: Contender, trial: Trial, *, shots: int) -> FewShot:
    """Mean accuracy on clips with `labels` (n,)."""
    return FewShot.over(accuracies(labels, contender, trial, shots=shots), shots)


def compare(
    labels: Tensor, contenders: Mapping[str, Contender], trial: Trial, *, shots: Sequence[int]
) -> Table:
    """Every contender on the same episodes; a column per number of shots."""
    return Table(
        corner="contender",
        columns=tuple(f"{trial.ways}-way {count}-shot" for count in shots),
        rows={
            name: tuple(evaluate_episodes(labels, contender, trial, shots=count) for count in shots)
            for name, contender in contenders.items()
        },
    )


def confusions(
    labels: Tensor, names: Sequence[str], contender: Contender, trial: Trial, *, shots: int
) -> Table:
    """What was answered (columns) to clips of each label (rows), as shares of a row."""
    counts = torch.zeros(len(names), len(names))
    for query, said in answers(labels, contender, trial, shots=shots):
        counts.index_put_((labels[query], said), torch.ones(len(query)), accumulate=True)
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return Table(
        corner=f"{shots}-shot",
        columns=tuple(names),
        rows={name: tuple(row) for name, row in zip(names, shares.tolist(), strict=True)},
    )


def nearest_prototype(features: Tensor) -> Contender:
    """Cosine similarity of features (n, D) to the mean of each class's examples."""
    return lambda support, query: similarities(features[support], features[query])


def nearest_examples(distances: Tensor) -> Contender:
    """Mean distance, out of (n, n), to each class's examples; one example is its neighbour."""
    return lambda support, query: -distances[query][:, support].mean(-1)


def frozen(encoder: TrackEncoder, clips: Sequence[Followed]) -> Contender:
    """An encoder as it is."""
    return nearest_prototype(torch.stack([embed(encoder, clip.tracks) for clip in clips]))


def baselines(clips: Sequence[Followed]) -> dict[str, Contender]:
    """The classical ones, each as it is and as strong as a small change makes it."""
    tracks = [clip.tracks for clip in clips]
    flow = torch.stack([hof_mbh(each) for each in tracks])
    own_flow = torch.stack([hof_mbh(each, camera=False) for each in tracks])
    motion = torch.stack([mean_motion(each) for each in tracks])
    return {
        "HOF + MBH": nearest_prototype(flow),
        "HOF + MBH, camera taken out": nearest_prototype(own_flow),
        "DTW": nearest_examples(warped_distances(motion)),
        "DTW, equal strength": nearest_examples(warped_distances(equal_strength(motion))),
    }


def embed(encoder: TrackEncoder, tracks: Tracks) -> Tensor:
    """The clip as its CLS token (D,), from all of its tracks."""
    with torch.inference_mode():
        return encoder.embed(*inputs(tracks, encoder.config.frames))[0]


def open_encoders(
    store: Path,
    *,
    models: Sequence[str],
    weights: Sequence[Path],
    builder: str,
    untrained: int | None,
) -> dict[str, TrackEncoder]:
    """Encoders by a name that says which they are: of the store, of exported weights, untrained.

    `builder` gives the shape of those that are in no store; `untrained` is the seed of random
    weights, or None for none.
    """
    found = {}
    for name in models:
        entry = find(store, name)
        found[f"{name} {entry.version}"] = load_model(store, entry).encoder
    for path in weights:
        encoder = build_encoder(builder, seed=0)
        load_encoder(encoder, path)
        found[str(path)] = encoder
    if untrained is not None:
        found[f"{builder}, untrained"] = build_encoder(builder, seed=untrained)
    return found


def build_encoder(builder: str, *, seed: int) -> TrackEncoder:
    """An encoder with random weights; torch's own chance is left as it was."""
    build = chosen(builder, BUILDERS)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(1).encoder.eval()


def label_numbers(clips: Sequence[Followed]) -> tuple[Tensor, list[str]]:
    """Each clip's label (n,) as an index into the labels' names, which are in order."""
    names = sorted({clip.label for clip in clips})
    return torch.tensor([names.index(clip.label) for clip in clips]), names
