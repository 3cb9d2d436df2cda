"""Which points to follow where a small thing moves: semantic against grid sampling against chance.

    python -m benchmarks.points [--clips 8] [--points 64 128 256]

Motions of one small thing are rendered as clips: the same clips have their points chosen in each
of the ways that the service offers, so many of them, and are followed by the service's tracker.
Told is few-shot accuracy of the nearest prototype on those tracks. Patch features are those that
this machine has: DINOv2 where it is installed, else colour and texture. Prints a table and files it
under `results/`.
"""

import argparse

import torch
from rich.console import Console
from rich.markdown import Markdown
from torch import Generator, Tensor

from benchmarks.machine import RESULTS
from pointaction.clip import Clip
from pointaction.evaluation.contest import by_matcher, hold
from pointaction.evaluation.fewshot import Contender, Trial
from pointaction.evaluation.performances import Programme
from pointaction.evaluation.report import Report
from pointaction.fewshot.prototypes import NearestPrototype
from pointaction.fewshot.track_features import describe
from pointaction.methods import Running
from pointaction.models.catalog import DEFAULT_STORE, find
from pointaction.models.store import load_model
from pointaction.pipeline import track_clip
from pointaction.progress import counting
from pointaction.synthetic.filming import film
from pointaction.synthetic.vocabulary import LABELS
from pointaction.tracking.points import POINTS

MOTIONS = (
    "moving left",
    "moving right",
    "moving up",
    "moving down",
    "falling",
    "bouncing",
    "swinging",
    "drawing a circle clockwise",
    "drawing a circle anticlockwise",
)
SEED = 77


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=8, help="of each motion")
    parser.add_argument("--points", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--model", default="traction-tiny")
    wish = parser.parse_args()
    encoder = load_model(DEFAULT_STORE, find(DEFAULT_STORE, wish.model)).encoder
    clips, labels = perform(wish.clips)
    contenders: dict[str, Contender] = {}
    ways = {name: method.open(DEFAULT_STORE, Running()) for name, method in POINTS.items()}
    total = len(ways) * len(wish.points) * len(clips)
    with counting("follow") as progress:
        for count in wish.points:
            for name, choose in ways.items():
                told = []
                for clip in clips:
                    tracks = track_clip(clip, tracks=count, choose=choose)
                    told.append(describe(encoder, tracks, {"clip"}))
                    progress(len(contenders) * len(clips) + len(told), total)
                contenders[f"{name}, {count}"] = by_matcher(NearestPrototype(), told)
    trial = Trial(ways=5, queries=2, episodes=wish.episodes)
    with counting("episodes") as progress:
        contest = hold(labels, contenders, trial, shots=(1, 5), progress=progress)
    gains = {
        f"semantic above {other}, {count} points": (f"semantic, {count}", f"{other}, {count}")
        for count in wish.points
        for other in ways
        if other != "semantic"
    }
    report = Report(
        title="Which points to follow where a small thing moves",
        conditions={
            "model": wish.model,
            "clips": f"{len(clips)} rendered, {len(MOTIONS)} motions of one thing, wider than in "
            "training",
            "patch features": POINTS["semantic"].runs_on(DEFAULT_STORE) or "colour and texture",
            "paper": "Trokens gains by semantic-aware points above a grid",
        },
        tables={
            "Accuracy of the nearest prototype and its 95 % interval": contest.table(),
            "Points gained, on the same episodes": contest.gains(gains),
        },
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'points').name}")


def perform(each: int) -> tuple[list[Clip], Tensor]:
    """Rendered clips, and which of MOTIONS each shows (n,)."""
    labels = torch.arange(len(MOTIONS)).repeat_interleave(each)
    known = torch.tensor([LABELS.index(name) for name in MOTIONS])
    programme = Programme(labels=known[labels], seed=SEED, wide=True)
    clips = []
    with counting("draw") as progress:
        for chunk in programme.chunks:
            scenes, generator = programme.stage(chunk)
            for row in range(scenes.present.shape[0]):
                chance = Generator().manual_seed(int(torch.randint(2**31, (), generator=generator)))
                clips.append(film(scenes, row, generator=chance))
                progress(len(clips), len(labels))
    return clips, labels


if __name__ == "__main__":
    main()
