"""How well a model knows the motions it was taught, on performances it has not seen.

Two ways to the same model: from exact tracks, and from rendered pixels through the tracker, as a
user's clip goes. The seeds are far from those of training (`seed * 1_000_003 + step`).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from pointaction.clip import Clip
from pointaction.evaluation.metrics import Accuracy
from pointaction.pipeline import Recogniser, track_clip
from pointaction.synthetic.motions import LABELS
from pointaction.synthetic.render import render
from pointaction.synthetic.scenes import Scenes, follow, sample_scenes
from pointaction.tracks import Tracks

HELD_OUT_SEED = 9_000_000_000
_SIDE = 320  # pixels of a rendered clip's longer side
_SECONDS = 3.0

Progress = Callable[[int, int], None]  # clips done, clips in all


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    accuracy: Accuracy
    per_label: dict[str, Accuracy]
    confusions: list[tuple[str, str, int]]  # (true, answered, how often), most often first


def evaluate_exact(
    recogniser: Recogniser, *, per_class: int, tracks: int, seed: int, progress: Progress
) -> Outcome:
    """From exact tracks."""

    def see(scenes: Scenes, row: int, generator: Generator) -> Tracks:
        return exact_tracks(scenes, row, points=tracks, generator=generator)

    return _evaluate(recogniser, see, per_class=per_class, seed=seed, progress=progress)


def evaluate_pixels(
    recogniser: Recogniser, *, per_class: int, tracks: int, seed: int, progress: Progress
) -> Outcome:
    """From rendered frames through the Lucas-Kanade tracker."""

    def see(scenes: Scenes, row: int, generator: Generator) -> Tracks:
        frames = render(scenes, row, side=_SIDE, generator=generator)
        clip = Clip.from_frames(frames, fps=scenes.frames / _SECONDS)
        return track_clip(clip, tracks=tracks)

    return _evaluate(recogniser, see, per_class=per_class, seed=seed, progress=progress)


def exact_tracks(scenes: Scenes, row: int, *, points: int, generator: Generator) -> Tracks:
    """Scene number `row` as the record that the pipeline takes, in a 320-pixel frame."""
    exact = follow(scenes.only(row), points=points, generator=generator)
    width, height = (round(float(part) * _SIDE) for part in scenes.extent[row])
    xy = exact.xy[0] * _SIDE - 0.5
    start = xy.gather(1, exact.frame[0][:, None, None].expand(-1, 1, 2))[:, 0]
    query = torch.cat([exact.frame[0][:, None].float(), start], 1)
    return Tracks(
        xy=xy.numpy(),
        visible=exact.visible[0].numpy(),
        confidence=exact.visible[0].float().numpy(),
        query=query.numpy(),
        size=(height, width),
        times=np.linspace(0, _SECONDS, scenes.frames),
    )


def _evaluate(
    recogniser: Recogniser,
    see: Callable[[Scenes, int, Generator], Tracks],
    *,
    per_class: int,
    seed: int,
    progress: Progress,
) -> Outcome:
    generator = Generator().manual_seed(HELD_OUT_SEED + seed)
    labels: Tensor = torch.arange(len(LABELS)).repeat(per_class)
    scenes = sample_scenes(labels, frames=32, generator=generator)
    answers: Counter[tuple[str, str]] = Counter()
    for row, label in enumerate(labels.tolist()):
        recognition = recogniser.recognise(see(scenes, row, generator))
        answers[LABELS[label], next(iter(recognition.scores))] += 1
        progress(row + 1, len(labels))
    return _outcome(answers, per_class)


def _outcome(answers: Counter[tuple[str, str]], per_class: int) -> Outcome:
    right = {label: answers[label, label] for label in LABELS}
    wrong = [(true, said, n) for (true, said), n in answers.most_common() if true != said]
    return Outcome(
        accuracy=Accuracy(right=sum(right.values()), total=answers.total()),
        per_label={label: Accuracy(right=n, total=per_class) for label, n in right.items()},
        confusions=wrong,
    )
