"""What each part of Trokens and of STRM is worth, by the ablations of their papers.

    python -m benchmarks.episode_ablations [--steps 600] [--seed 1] [--variants trokens ...]

All variants learn episodes of procedural motion side by side, from the very same batches, so that
each batch is made once. Then all are asked the same episodes about motions that no training has
seen. Prints the tables, with the gains between variants and the signs that the papers report, and
files them under `results/`.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from rich.console import Console
from rich.markdown import Markdown
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.ablations import Learner
from benchmarks.machine import RESULTS
from pointaction.evaluation.contest import Contest, hold
from pointaction.evaluation.fewshot import Contender, Trial
from pointaction.evaluation.report import Report
from pointaction.fewshot.track_features import PATCH_WIDTH
from pointaction.models.strm import STRM, strm_tiny
from pointaction.models.trokens import Trokens, on_clock, trokens_tiny
from pointaction.progress import counting
from pointaction.synthetic.vocabulary import LABELS
from pointaction.training.batch import Batch
from pointaction.training.episodes import (
    EpisodeRecipe,
    Exam,
    Pupil,
    Told,
    ask,
    balance,
    episodes,
    patches,
    pupil_for,
    shown_by,
    together,
)
from pointaction.training.schedule import warmup_cosine
from pointaction.training.variants import as_it_is

TRACKS = 48  # of every clip: a variant that compares each track with each needs one number
RECIPE = EpisodeRecipe(
    builder="both",
    steps=600,
    learning_rate=1e-3,
    batch=12,
    programs=12,
    performances=4,
    ways=10,
    episodes=4,
    exam=12,
    tracks=(TRACKS,),
)


def _trokens(**changes: object) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        return Trokens(replace(trokens_tiny(len(LABELS)).config, **changes))  # type: ignore[arg-type]

    return build


def _strm(**changes: object) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        return STRM(replace(strm_tiny(PATCH_WIDTH).config, **changes))  # type: ignore[arg-type]

    return build


VARIANTS: dict[str, Callable[[], nn.Module]] = {
    "trokens": _trokens(),
    "trokens without HoD": _trokens(hod=False),
    "trokens without relative displacements": _trokens(relative=False),
    "trokens, every track against every other": _trokens(anchors=None, points=TRACKS),
    "trx": _strm(ple=False, fle=False, query_class=False),
    "trx, {2, 3}": _strm(ple=False, fle=False, query_class=False, cardinalities=(2, 3)),
    "trx + PLE": _strm(fle=False, query_class=False),
    "trx + PLE + FLE": _strm(query_class=False),
    "strm": _strm(),
}

PAIRS = {
    "HoD": ("trokens", "trokens without HoD"),
    "relative displacements": ("trokens", "trokens without relative displacements"),
    "every track against every other": ("trokens, every track against every other", "trokens"),
    "{2, 3} above {2}": ("trx, {2, 3}", "trx"),
    "PLE": ("trx + PLE", "trx"),
    "FLE": ("trx + PLE + FLE", "trx + PLE"),
    "QC": ("strm", "trx + PLE + FLE"),
}
"""What is gained by what: the first of each pair above the second. The papers report a gain for
all but the third, which no paper has: anchors are ours."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--episodes", type=int, default=2000, help="of the test")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches")
    wish = parser.parse_args()
    pupils = train(wish)
    contest = examine(pupils, wish)
    there = {name: pair for name, pair in PAIRS.items() if set(pair) <= pupils.keys()}
    report = Report(
        title="What each part of Trokens and STRM is worth",
        conditions={
            "training": f"{wish.steps} steps of {RECIPE.show.named + RECIPE.programs} classes by "
            f"{RECIPE.performances} clips of {TRACKS} tracks, {RECIPE.ways} ways, 1 shot, seed "
            f"{wish.seed}; the same batches for all",
            "test": f"{wish.episodes} episodes of classes that are trained on nowhere",
            "papers": "Trokens gains by HoD and by relative displacements, TRX by {2, 3}, STRM by "
            "each of PLE, FLE and QC",
        },
        tables={
            "Accuracy and its 95 % interval": contest.table(),
            "Points gained, on the same episodes": contest.gains(there),
        },
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'episode-ablations').name}")


def train(wish: argparse.Namespace) -> dict[str, Pupil]:
    """All variants, side by side: each takes every batch once, in the same order."""
    shown = shown_by(RECIPE, "train", seed=wish.seed)
    first = shown[0]
    pupils = {name: _pupil(VARIANTS[name], first, wish.seed) for name in wish.variants}
    learners = [
        Learner(pupil.network, episodes(pupil, RECIPE, seed=wish.seed), as_it_is)
        for pupil in pupils.values()
    ]
    loader = DataLoader(shown, batch_size=None, sampler=range(wish.steps), num_workers=wish.workers)
    with counting(f"{len(learners)} learn") as progress:
        for number, batch in enumerate(loader):
            rate = RECIPE.learning_rate * warmup_cosine(number, steps=wish.steps)
            for learner in learners:
                torch.manual_seed(wish.seed * 1_000_003 + number)  # dropout
                learner.learn(batch, number, rate)
            progress(number + 1, wish.steps)
    for pupil in pupils.values():
        pupil.network.eval()
    return pupils


def _pupil(build: Callable[[], nn.Module], first: Batch, seed: int) -> Pupil:
    torch.manual_seed(seed)  # initial weights
    network = build()
    if isinstance(network, STRM):
        balance(network.widen, patches(first))
    elif isinstance(network, Trokens) and network.config.hod:
        seen = on_clock(first.geometry, first.visible, network.config.frames)
        balance(network.hod_motion_module.fc2.c_fc, network.displacements(*seen))
    return pupil_for(network)


def examine(pupils: dict[str, Pupil], wish: argparse.Namespace) -> Contest:
    """Everyone on the same episodes of test classes."""
    trial = Trial(ways=5, queries=2, episodes=wish.episodes)
    shots = (1, 5)
    performances = 3 * (max(shots) + trial.queries) // 2
    recipe = replace(RECIPE, batch=RECIPE.show.named * performances, performances=performances)
    exam = Exam.of(recipe, "test", trial)
    contenders: dict[str, Contender] = {}
    with torch.inference_mode():
        for name, pupil in pupils.items():
            parts = [pupil.describe(batch) for batch in exam.batches]
            told = tuple(torch.cat(each) for each in zip(*parts, strict=True))
            contenders[name] = _contender(pupil, told)
        with counting("examine") as progress:
            return hold(exam.labels, contenders, trial, shots=shots, progress=progress)


def _contender(pupil: Pupil, told: Sequence[Tensor] | Told) -> Contender:
    return lambda support, query: together(pupil, ask(pupil, tuple(told), support, query))


if __name__ == "__main__":
    main()
