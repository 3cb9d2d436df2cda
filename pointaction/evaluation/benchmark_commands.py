"""`pointaction evaluate fewshot-benchmark`. Thin: the work is imported when asked for."""

from pathlib import Path
from typing import Annotated

import typer

from pointaction.datasets.fewshot_splits import BENCHMARKS
from pointaction.evaluation.commands import Cache, Points, ReportFolder
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.progress import counting


def fewshot_benchmark(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(BENCHMARKS)}.")],
    lists: Annotated[Path, typer.Argument(help="Folder of its lists, as its authors hand it on.")],
    videos: Annotated[Path, typer.Argument(help="Folder of its videos.")],
    model: Annotated[str, typer.Option(help="A model of the catalogue, to describe clips.")] = (
        "traction-tiny"
    ),
    weights: Annotated[
        Path | None, typer.Option(help="Trokens or STRM, trained by episodes, instead.")
    ] = None,
    matcher: Annotated[
        str | None,
        typer.Option(
            help="prototype, linear-probe, otam, sets or trx; if none is given, as the network is "
            "trained, and prototype for a model."
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(help="train, validation or test; that which papers measure on if not given."),
    ] = None,
    ways: Annotated[int, typer.Option(min=2)] = 5,
    shots: Annotated[
        list[int] | None, typer.Option(min=1, help="Numbers of examples; 1 to 5 if none is given.")
    ] = None,
    queries: Annotated[int, typer.Option(min=1, help="Per class and episode.")] = 1,
    episodes: Annotated[int, typer.Option(min=2)] = 10_000,
    tracks: Points = 512,
    seed: Annotated[int, typer.Option(help="Which episodes.")] = 0,
    cache: Cache = None,
    report: ReportFolder = None,
    store: Store = DEFAULT_STORE,
) -> None:
    """A standard few-shot benchmark by the papers' protocol, with frozen networks."""
    from pointaction.errors import InputError
    from pointaction.evaluation.contest import hold
    from pointaction.evaluation.embedded import numbered
    from pointaction.evaluation.fewshot import Trial
    from pointaction.evaluation.fewshot_benchmark import Entrant, describe_items, measured
    from pointaction.evaluation.report import Report

    listed = measured(name, lists, videos, part)
    present = listed.present().items
    if not present:
        raise InputError(f"none of the {len(listed.items)} clips that are asked for is in {videos}")
    entrant = Entrant.open(store, model=model, weights=weights, matcher=matcher)
    with counting("follow") as progress:
        described = describe_items(
            present, entrant, tracks=tracks, cache=cache, progress=progress, failed=_left_out
        )
    labels = [item.label for item in described.items]
    with counting("episodes") as progress:
        contest = hold(
            numbered(labels),
            {entrant.name: entrant.compare(described.features)},
            Trial(ways=ways, queries=queries, episodes=episodes, seed=seed),
            shots=shots or (1, 2, 3, 4, 5),
            progress=progress,
        )
    made = Report(
        title=f"Few-shot benchmark {name}",
        conditions={
            "part": str(present[0].split),
            "clips": f"{len(labels)} of {len(listed.items)}",
            "classes": f"{len(set(labels))} of {len(listed.labels)}",
            "tracks": tracks,
            "episodes": f"{episodes} of {queries} queries per class, seed {seed}",
        },
        tables={"Accuracy and its 95 % interval over the episodes": contest.table()},
    )
    typer.echo(made.markdown())
    if report is not None:
        typer.echo(f"filed as {made.write(report, f'fewshot-{name}')}")


def _left_out(path: Path, error: Exception) -> None:
    typer.echo(f"{path} is left out: {error}", err=True)
