"""Every matcher on every encoder, asked the same few-shot episodes about actions nobody was taught.

    python -m benchmarks.fewshot [--clips FOLDER --cache FOLDER] [--models traction-tiny traction]
        [--networks NAME=WEIGHTS ...] [--against NEW OLD ...]

Three sets of clips: motion programs, each performed several times; named motions that episodic
training keeps for testing (TrAction was taught their names, on other performances); and, with
`--clips`, a folder of real clips, one folder per label, which are only ever measured on. All are
seen through a tracker: the real clips through ours, the others through its noise.

`--networks` come from episodic training and also compare as they did there. `--against full plain`
tells, matcher by matcher, how far the network called `full` is above the one called `plain`: the
ablations of the papers. Prints the tables and files them under `results/`, after each set of clips.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.markdown import Markdown
from torch import Tensor, nn

from benchmarks.machine import RESULTS
from pointaction.choices import chosen
from pointaction.evaluation.contest import OWN, Contest, by_matcher, hold, own_way
from pointaction.evaluation.describers import CLOCK, describe_all, describer_for
from pointaction.evaluation.fewshot import Trial, label_numbers, open_encoders
from pointaction.evaluation.followed import follow_folder
from pointaction.evaluation.performances import TRACKED, Inputs, Programme, watch
from pointaction.evaluation.report import Report, Table
from pointaction.evaluation.unseen import Repertoire
from pointaction.fewshot.matcher import Matcher
from pointaction.fewshot.matchers import MATCHERS
from pointaction.fewshot.tuples import TupleMatching
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.fewshot import load_network
from pointaction.pipeline import inputs
from pointaction.progress import counting
from pointaction.training.episode_batches import named_classes

PAIRS_ALONE = "trx {2}"  # beside "trx", which is {2, 3}


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Clips to ask about, given to be watched once."""

    labels: Tensor  # (n,)
    watched: Iterable[Inputs]  # in the order of the labels


def programs(wish: argparse.Namespace) -> Clips:
    """Classes without a name."""
    sight = replace(TRACKED, points=wish.points)
    acts = Repertoire(
        programs=wish.programs, performances=wish.performances, seed=wish.seed, wide=True
    )
    return Clips(labels=acts.labels, watched=watch(acts, sight, clock=CLOCK))


def named(wish: argparse.Namespace) -> Clips:
    """Named motions on which no episode trains."""
    labels = torch.tensor(named_classes("test")[: wish.named]).repeat_interleave(wish.performances)
    programme = Programme(labels=labels, seed=wish.seed, wide=True)
    sight = replace(TRACKED, points=wish.points)
    return Clips(labels=labels, watched=watch(programme, sight, clock=CLOCK))


def real(wish: argparse.Namespace) -> Clips:
    """Clips from a camera."""
    with counting("follow") as progress:
        clips = follow_folder(wish.clips, tracks=wish.tracks, cache=wish.cache, progress=progress)

    def watched() -> Iterator[Inputs]:
        for clip in clips:
            geometry, visible = inputs(clip.tracks, CLOCK)
            yield Inputs(geometry=geometry, visible=visible)

    return Clips(labels=label_numbers(clips)[0], watched=watched())


SETS: dict[str, Callable[[argparse.Namespace], Clips]] = {
    "motion programs": programs,
    "named motions": named,
    "real clips": real,
}


def networks(wish: argparse.Namespace) -> dict[str, nn.Module]:
    """By name, in the order of the tables."""
    encoders = open_encoders(
        DEFAULT_STORE, models=wish.models, weights=[], builder="", untrained=None
    )
    return {**encoders, **{name: load_network(path) for name, path in wish.networks}}


def matchers(names: list[str]) -> dict[str, Matcher]:
    """Those for everyone; TRX also on pairs alone."""
    found = {name: MATCHERS[name]() for name in names}
    if "trx" in names:
        found[PAIRS_ALONE] = TupleMatching(cardinalities=(2,))
    return found


def ask(name: str, clips: Clips, found: dict[str, nn.Module], wish: argparse.Namespace) -> Contest:
    """Describe each clip once, then hold the contest."""
    everyone = matchers(wish.matchers)
    describers = {who: describer_for(network) for who, network in found.items()}
    with counting(f"{name}: describe") as progress:
        described = describe_all(
            clips.watched,
            describers,
            parts={matcher.part for matcher in everyone.values()},
            total=len(clips.labels),
            progress=progress,
        )
    contenders = {}
    for who, features in described.items():
        for how, matcher in everyone.items():
            contenders[f"{who}, {how}"] = by_matcher(matcher, features)
    for who, _ in wish.networks:
        contenders[f"{who}, {OWN}"] = own_way(found[who], described[who])
    trial = Trial(ways=wish.ways, queries=wish.queries, episodes=wish.episodes, seed=wish.seed)
    with counting(f"{name}: episodes") as progress:
        return hold(clips.labels, contenders, trial, shots=wish.shots, progress=progress)


def tables(name: str, contest: Contest, wish: argparse.Namespace) -> dict[str, Table]:
    """Everyone; everyone against the first; and the ablations."""
    everyone = list(contest.accuracies)
    first, *others = everyone
    told = {
        f"{name}, accuracy and its 95 % interval": contest.table(),
        f"{name}, points above {first}, on the same episodes": contest.gains(
            {other: (other, first) for other in others}
        ),
    }
    pairs = {
        f"{one.removesuffix(' {2}')}, {{2, 3}} against {{2}}": (one.removesuffix(" {2}"), one)
        for one in everyone
        if one.endswith(PAIRS_ALONE)
    }
    for new, old in wish.against:
        for one in everyone:
            who, _, how = one.rpartition(", ")
            if who == new:
                pairs[f"{new} against {old}, {how}"] = (one, f"{old}, {how}")
    if pairs:
        told[f"{name}, points gained"] = contest.gains(pairs)
    return told


def main() -> None:
    wish = _arguments()
    found = networks(wish)
    for name in sum(wish.against, []):
        chosen(name, found)
    report = Report(
        title="Few-shot episodes: every matcher on every encoder",
        conditions={
            "episodes": f"{wish.episodes} of {wish.queries} queries per class, seed {wish.seed}",
            "performances": f"{wish.performances} of each of {wish.programs} programs and "
            f"{wish.named} named motions, {wish.points} tracks with a tracker's noise, "
            "wider than in training",
            "named motions": "kept from episodic training; TrAction was taught their names",
            "real clips": f"{wish.clips.name}, {wish.tracks} tracks" if wish.clips else "none",
            "networks": ", ".join(f"{name}: {path.name}" for name, path in wish.networks)
            or "none that were trained by episodes",
        },
        tables={},
    )
    sizes = {
        "motion programs": wish.programs,
        "named motions": wish.named,
        "real clips": wish.clips,
    }
    for name, gather in SETS.items():
        if sizes[name]:
            contest = ask(name, gather(wish), found, wish)
            report.tables.update(tables(name, contest, wish))
            filed = report.write(wish.out, "episodes")  # after each set: all of them take a while
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {filed.name}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", default=["traction-tiny", "traction"])
    parser.add_argument("--networks", nargs="+", default=[], type=_weights, metavar="NAME=WEIGHTS")
    parser.add_argument(
        "--against", nargs=2, action="append", default=[], metavar=("NEW", "OLD"), help="ablations"
    )
    parser.add_argument("--matchers", nargs="+", choices=list(MATCHERS), default=list(MATCHERS))
    parser.add_argument("--programs", type=int, default=60, help="classes, 0 for none")
    parser.add_argument("--named", type=int, default=25, help="classes, 0 for none")
    parser.add_argument("--performances", type=int, default=12, help="of each class")
    parser.add_argument("--points", type=int, default=256, help="tracks of a performance")
    parser.add_argument("--clips", type=Path, help="one folder per label, with real clips in it")
    parser.add_argument("--cache", type=Path, help="keep the real clips' tracks here")
    parser.add_argument("--tracks", type=int, default=512, help="of a real clip")
    parser.add_argument("--ways", type=int, default=5)
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 3, 5])
    parser.add_argument("--queries", type=int, default=2, help="per class and episode")
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the report is filed")
    wish = parser.parse_args()
    wish.named = min(wish.named, len(named_classes("test")))
    if not (wish.programs or wish.named or wish.clips):
        parser.error("nothing to ask about; give --programs, --named or --clips")
    return wish


def _weights(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=WEIGHTS")
    return name, Path(path)


if __name__ == "__main__":
    main()
