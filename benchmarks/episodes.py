"""How soon a service knows new actions, and how soon it answers about them.

    python -m benchmarks.episodes [--clips FOLDER] [--ways 5 100] [--shots 5] [--queries 20]

For each number of classes a stack of its own is started and asked something, so that its model is
in memory. Then that many classes are posted with `shots` examples each, and a query right behind
them, which waits for all to be described: the time to the first answer. Then other clips are asked
for one by one, and once more, when they have been described. Clips are rendered (3 s, 320 x 240, 16
frames a second), or for five classes those of `--clips`: a folder for each label. Prints a table
and files it under `results/`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.machine import RESULTS
from pointaction.cli import expand
from pointaction.client import Client, Episode
from pointaction.evaluation.report import Report, Table
from pointaction.fewshot.heads import DEFAULT_HEAD, HEADS
from pointaction.synthetic.sample import write_sample
from pointaction.synthetic.vocabulary import LABELS
from service.demo import serving

Example = tuple[str, Path]  # label, clip
COLUMNS = (
    "examples",
    "to the first answer, s",
    "query p50 ms",
    "query p90 ms",
    "asked again, p50 ms",
    "asked again, p90 ms",
    "right of the queries",
)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is taught, and what is asked."""

    examples: list[Example]
    queries: list[Example]  # other clips, with what they are


@dataclass(frozen=True, kw_only=True)
class Answered:
    first_s: float  # from posting the examples to the answer of a query posted behind them
    fresh_ms: list[float]
    known_ms: list[float]  # of the same clips, of which all but the comparison is cached
    right: int

    def row(self, lesson: Lesson) -> tuple[object, ...]:
        return (
            len(lesson.examples),
            round(self.first_s, 1),
            *_p50_p90(self.fresh_ms),
            *_p50_p90(self.known_ms),
            f"{self.right} of {len(self.fresh_ms)}",
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=Path, help="real ones: a folder for each label")
    parser.add_argument("--ways", type=int, nargs="*", default=[5, 100])
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--head", choices=list(HEADS), default=DEFAULT_HEAD)
    parser.add_argument("--model", default="traction-tiny")
    wish = parser.parse_args()
    rows = {}
    for name, lesson in lessons(wish):
        rows[name] = teach_and_ask(lesson, model=wish.model, head=wish.head).row(lesson)
    report = Report(
        title="Episodes: from examples to answers",
        conditions={
            "model": wish.model,
            "head": wish.head,
            "load average": f"{os.getloadavg()[0]:.1f}",
            "worker": "one process; the model is in memory before the examples come",
        },
        tables={"Over HTTP": Table(corner="classes", columns=COLUMNS, rows=rows)},
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'episodes-speed').name}")


def lessons(wish: argparse.Namespace) -> Iterator[tuple[str, Lesson]]:
    """What to teach, by a name for it, once it is on disk."""
    if wish.clips:
        lesson = real(wish.clips, wish.shots, wish.queries)
        yield f"{len({label for label, _ in lesson.examples})}, real clips", lesson
    for ways in wish.ways:
        with tempfile.TemporaryDirectory() as folder:
            yield f"{ways}, rendered", rendered(Path(folder), ways, wish.shots, wish.queries)


def real(folder: Path, shots: int, queries: int) -> Lesson:
    """The first clips of each label, and then others in turn."""
    labels = sorted(path.name for path in folder.iterdir() if path.is_dir())
    clips = {label: expand([str(folder / label)]) for label in labels}
    others = [(label, paths[shots:]) for label, paths in clips.items()]
    asked = [
        (label, paths[number])
        for number in range(max(len(paths) for _, paths in others))
        for label, paths in others
        if number < len(paths)
    ]
    return Lesson(
        examples=[(label, path) for label, paths in clips.items() for path in paths[:shots]],
        queries=asked[:queries],
    )


def rendered(folder: Path, ways: int, shots: int, queries: int) -> Lesson:
    """Performances of named motions, the queries of other seeds."""
    labels = LABELS[:ways]
    examples = [_draw(folder, label, seed) for label in labels for seed in range(shots)]
    asked = [_draw(folder, labels[n % ways], shots + n // ways) for n in range(queries)]
    return Lesson(examples=examples, queries=asked)


def _draw(folder: Path, label: str, seed: int) -> Example:
    path = folder / f"{label} {seed}.mp4"
    write_sample(label, path, seed=1000 + seed)
    return label, path


def teach_and_ask(lesson: Lesson, *, model: str, head: str) -> Answered:
    """Of a stack that has answered one other clip before."""
    (_, first), *rest = lesson.queries
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "data", Path(folder) / "serve.log") as (url, _),
        Client(url) as client,
    ):
        warm = Path(folder) / "warm.mp4"
        write_sample(LABELS[-1], warm, seed=1)
        client.classify(warm, model=model)
        start = time.perf_counter()
        taught: dict[str, list[Path]] = {}
        for label, path in lesson.examples:
            taught.setdefault(label, []).append(path)
        episode = client.create_episode(taught, model=model, head=head)
        episode.classify(first, top_k=1)
        first_s = time.perf_counter() - start
        fresh, answers = _ask(episode, [path for _, path in rest])
        known, _ = _ask(episode, [path for _, path in rest])
    right = sum(answer == label for answer, (label, _) in zip(answers, rest, strict=True))
    return Answered(first_s=first_s, fresh_ms=fresh, known_ms=known, right=right)


def _ask(episode: Episode, paths: Sequence[Path]) -> tuple[list[float], list[str]]:
    """Milliseconds and the best label, for each clip."""
    spent, labels = [], []
    for path in paths:
        start = time.perf_counter()
        answer = episode.classify(path, top_k=1)
        spent.append((time.perf_counter() - start) * 1000)
        labels.append(answer.best.label)
    return spent, labels


def _p50_p90(spent: Sequence[float]) -> tuple[float, float]:
    return round(median(spent)), round(quantiles(spent, n=10)[-1])


if __name__ == "__main__":
    main()
