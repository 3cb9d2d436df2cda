"""How well a frozen encoder tells apart actions that it was never taught: many small episodes.

Shapes:  n clips   D width of the encoder
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from pointaction.errors import InputError
from pointaction.fewshot.episodes import sample_episode
from pointaction.fewshot.prototypes import similarities
from pointaction.pipeline import Recogniser, track_clip
from pointaction.video.container import SUFFIXES
from pointaction.video.decode import decode

Progress = Callable[[int, int], None]  # clips done, clips in all


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShot:
    """Mean accuracy over episodes."""

    mean: float
    half_width: float  # of its 95 % interval over episodes
    ways: int
    shots: int
    episodes: int

    def __str__(self) -> str:
        return (
            f"{self.ways}-way {self.shots}-shot: {self.mean:.1%} ± {self.half_width:.1%} "
            f"over {self.episodes} episodes"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The clips of a folder as the encoder sees them."""

    features: Tensor  # (n, D)
    labels: Tensor  # (n,) index into names
    names: list[str]


def embed_folder(
    recogniser: Recogniser, folder: Path, *, tracks: int, progress: Progress
) -> Embedded:
    """Every clip of folder/<label>/; raises InputError for a folder that is laid out otherwise."""
    clips = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES)
    names = sorted({path.parent.name for path in clips})
    if len(names) < 2:
        raise InputError(f"{folder} needs two folders or more, one per label, with clips in them")
    features = []
    for done, path in enumerate(clips, 1):
        features.append(recogniser.embed(track_clip(decode(path), tracks=tracks)))
        progress(done, len(clips))
    labels = torch.tensor([names.index(path.parent.name) for path in clips])
    return Embedded(features=torch.stack(features), labels=labels, names=names)


def evaluate_episodes(
    clips: Embedded, *, ways: int, shots: int, queries: int, episodes: int, generator: Generator
) -> FewShot:
    """Nearest-prototype accuracy, episode by episode."""
    right = torch.empty(episodes)
    for number in range(episodes):
        episode = sample_episode(
            clips.labels, ways=ways, shots=shots, queries=queries, generator=generator
        )
        query = clips.features[episode.query.flatten()]
        answers = similarities(clips.features[episode.support], query).argmax(-1)
        truth = torch.arange(ways).repeat_interleave(queries)
        right[number] = (answers == truth).float().mean()
    spread = right.std().item() if episodes > 1 else math.nan
    return FewShot(
        mean=right.mean().item(),
        half_width=1.96 * spread / math.sqrt(episodes),
        ways=ways,
        shots=shots,
        episodes=episodes,
    )
