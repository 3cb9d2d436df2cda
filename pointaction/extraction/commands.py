"""`pointaction extract`: the clips of a data set become a store of tracks."""

from pathlib import Path
from typing import Annotated

import typer

from pointaction.depth.lifters import DEFAULT_DEPTH
from pointaction.errors import InputError
from pointaction.methods import Running
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.terminal import err, out, plain
from pointaction.tracking.commands import (
    DEPTH_HELP,
    POINTS_HELP,
    TRACKER_HELP,
    Device,
    Rounding,
    span,
)
from pointaction.tracking.points import DEFAULT_POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER

_SHOWN = 10  # failures


def extract(
    source: Annotated[
        Path,
        typer.Argument(help="A folder of clips, a .csv or .jsonl list, or WebDataset .tar files."),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", help="The store: a folder, or s3://bucket/folder.")
    ],
    tracks: Annotated[int, typer.Option(min=1, max=10_000, help="Points in each clip.")] = 512,
    points: Annotated[str, typer.Option(help=POINTS_HELP)] = DEFAULT_POINTS,
    tracker: Annotated[str, typer.Option(help=TRACKER_HELP)] = DEFAULT_TRACKER,
    depth: Annotated[str, typer.Option(help=DEPTH_HELP)] = DEFAULT_DEPTH,
    every: Annotated[bool, typer.Option(help="Every frame of a clip, instead of 32.")] = False,
    stride: Annotated[
        int | None, typer.Option(min=1, help="32 frames at most so far apart, from the middle.")
    ] = None,
    processes: Annotated[int, typer.Option("-p", "--processes", min=1)] = 1,
    per_shard: Annotated[int, typer.Option(min=1, help="Clips in a file of the store.")] = 2000,
    spool: Annotated[
        Path | None, typer.Option(help="Where files are collected for s3://; keep it.")
    ] = None,
    estimate: Annotated[bool, typer.Option(help="Say before what it will take.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say that, and stop.")] = False,
    device: Device = "cpu",
    precision: Rounding = "float32",
    store: Store = DEFAULT_STORE,
) -> None:
    """Follow points through every clip of a data set, once. Call again to go on."""
    from pointaction.extraction.extract import FAILURES
    from pointaction.extraction.extract import estimate as estimated
    from pointaction.extraction.extract import extract as run
    from pointaction.extraction.follower import How
    from pointaction.extraction.rate import rating
    from pointaction.extraction.sources import read_source
    from pointaction.video.cut import Cut

    if every and stride is not None:
        raise InputError("--every takes every frame, and --stride some; give one of them")
    how = How(
        tracks=tracks,
        tracker=tracker,
        points=points,
        depth=depth,
        cut=Cut(every=every, stride=stride),
        running=Running(device=device, precision=precision),
        models=store,
    )
    wanted = read_source(source)
    if estimate or dry_run:
        told = estimated(wanted, output, how)
        err.print(f"{told.clips:,} of {len(wanted):,} clips are not there yet")
        err.print(
            f"about {span(told.seconds(processes))} and {told.bytes / 1e6:,.1f} MB: "
            f"{told.seconds_each:.2f} s and {told.bytes_each / 1e3:.1f} kB a clip"
        )
    if dry_run:
        return
    with rating("extract") as progress:
        done = run(
            wanted,
            output,
            how,
            processes=processes,
            clips_per_shard=per_shard,
            spool=spool,
            progress=progress,
        )
    out.print(
        f"{plain(output)}: {done.there + done.added:,} of {done.wanted:,} clips, "
        f"{done.added:,} of them new",
        soft_wrap=True,
    )
    if done.failures:
        for failure in done.failures[:_SHOWN]:
            err.print(f"[red]{plain(failure.source)}[/]: {plain(failure.detail)}", soft_wrap=True)
        err.print(f"{len(done.failures):,} clips failed; all are in {plain(output)}/{FAILURES}")
        raise typer.Exit(1)
