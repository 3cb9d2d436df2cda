"""`pointaction extract`: the clips of a data set become a store of tracks."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointaction.depth.lifters import DEFAULT_DEPTH
from pointaction.errors import InputError, MissingExtra
from pointaction.extraction.share import SHARDS, Share
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

if TYPE_CHECKING:
    from pointaction.extraction.extract import Estimate, OpenFollowers, Others
    from pointaction.extraction.layout import Found
    from pointaction.video.cut import Cut

_SHOWN = 10  # failures
_FOLLOWERS = "pointaction.followers"  # entry points: who follows clips, if not this machine


def extract(
    source: Annotated[
        Path,
        typer.Argument(
            help="A published data set, a folder of clips, a .csv or .jsonl list, or .tar files."
        ),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", help="The store: a folder, or s3://bucket/folder.")
    ],
    layout: Annotated[
        str,
        typer.Option(help="How that is laid out: ssv2 or others, files, or what auto recognises."),
    ] = "auto",
    split: Annotated[
        str | None,
        typer.Option(help="Of a layout: train, validation, test; 2:test, ssv2-otam:test."),
    ] = None,
    videos: Annotated[
        Path | None, typer.Option(help="Of a layout, if not where the owner's archives put them.")
    ] = None,
    tracks: Annotated[int, typer.Option(min=1, max=10_000, help="Points in each clip.")] = 512,
    points: Annotated[str, typer.Option(help=POINTS_HELP)] = DEFAULT_POINTS,
    tracker: Annotated[str, typer.Option(help=TRACKER_HELP)] = DEFAULT_TRACKER,
    depth: Annotated[str, typer.Option(help=DEPTH_HELP)] = DEFAULT_DEPTH,
    features: Annotated[
        str | None,
        typer.Option(help="A backbone, such as looks-tiny, whose features are kept beside tracks."),
    ] = None,
    every: Annotated[
        bool | None,
        typer.Option(
            "--every/--spread",
            help="Every frame of a clip, or 32 over it, whatever its layout says.",
        ),
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="32 frames at most so far apart, from the middle.")
    ] = None,
    processes: Annotated[int, typer.Option("-p", "--processes", min=1)] = 1,
    queue: Annotated[
        bool,
        typer.Option(
            "--queue",
            help="By the workers of POINTACTION_BROKER_URL that take clips "
            "(`pointaction worker --takes extract`), on the device that they were told.",
        ),
    ] = False,
    share: Annotated[
        str, typer.Option(help="2/8: every eighth clip, from the second; for several commands.")
    ] = "1/1",
    shards: Annotated[
        str,
        typer.Option(help="What they are called; each command of a store calls them otherwise."),
    ] = SHARDS,
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
    from pointaction.extraction.extract import estimate as estimated
    from pointaction.extraction.extract import extract as run
    from pointaction.extraction.extract import failures_of, to_do
    from pointaction.extraction.follower import How
    from pointaction.extraction.layouts import FILES, find_clips, report_missing
    from pointaction.extraction.rate import rating

    density = _density(every, stride)
    layout, found = find_clips(source, layout=layout, split=split, videos=videos)
    _tell(layout, found)
    how = How(
        tracks=tracks,
        tracker=tracker,
        points=points,
        depth=depth,
        features=features,
        cut=density or found.cut,
        running=Running(device=device, precision=precision),
        models=store,
    )
    part = Share.from_text(share)
    others = _of_the_queue(output, part.name(shards)) if queue else None
    if estimate or dry_run:
        todo = to_do(found.wanted, output, how, share=part)
        err.print(f"{len(todo.missing):,} of {len(todo.wanted):,} clips are not there yet")
        if others:
            _tell_estimate(others.estimate(todo.missing, how), "worker")
        else:
            _tell_estimate(estimated(todo.missing, how, processes=processes), "process")
    if dry_run:
        return
    with rating("extract") as progress:
        done = run(
            found.wanted,
            output,
            how,
            processes=processes,
            followers=others,
            share=part,
            shards=shards,
            clips_per_shard=per_shard,
            spool=spool,
            progress=progress,
        )
    if layout != FILES:
        report_missing(output, found)
    out.print(
        f"{plain(output)}: {done.there + done.added:,} of {done.wanted:,} clips, "
        f"{done.added:,} of them new",
        soft_wrap=True,
    )
    if done.failures:
        for failure in done.failures[:_SHOWN]:
            err.print(f"[red]{plain(failure.source)}[/]: {plain(failure.detail)}", soft_wrap=True)
        told_in = f"{plain(output)}/{failures_of(part.name(shards))}"
        err.print(f"{len(done.failures):,} clips failed; all are in {told_in}")
        raise typer.Exit(1)


def _density(every: bool | None, stride: int | None) -> "Cut | None":
    """How densely clips are looked at, if that was asked for."""
    from pointaction.video.cut import Cut

    if every and stride is not None:
        raise InputError("--every takes every frame, and --stride some; give one of them")
    return None if every is None and stride is None else Cut(every=bool(every), stride=stride)


def _tell(name: str, found: "Found") -> None:
    """What the source was taken for, what that may be used for, and what is not there."""
    from pointaction.extraction.layouts import LAYOUTS, MISSING

    if name not in LAYOUTS:
        return
    layout = LAYOUTS[name]
    err.print(f"{layout.title} (--layout {name}): {layout.sampling}", soft_wrap=True)
    err.print(f"licence: {layout.licence}; commercial use: {layout.commercial}", soft_wrap=True)
    if found.missing:
        listed = len(found.wanted) + len(found.missing)
        err.print(
            f"{len(found.missing):,} of {listed:,} listed clips are not there, such as "
            f"{plain(found.missing[0].path)}; {MISSING} in the store will have all",
            soft_wrap=True,
        )


def _tell_estimate(told: "Estimate", hand: str) -> None:
    """What clips will take, and of what that depends."""
    by = f"{told.hands:,} {hand}" + ("es" if hand[-1] == "s" else "s") * (told.hands != 1)
    if told.clips and told.tried is None:
        there = f"{by} would take clips, but none did" if told.hands else f"no {hand} takes clips"
        err.print(f"how long that takes nobody can say: {there}", soft_wrap=True)
    elif told.tried:
        each = f"{told.tried.seconds:.2f} s and {told.tried.bytes / 1e3:.1f} kB a clip"
        err.print(
            f"about {span(told.seconds or 0)} and {(told.bytes or 0) / 1e6:,.1f} MB: "
            f"{each}, by {by} with nothing else to do",
            soft_wrap=True,
        )


def _of_the_queue(store: str, shards: str) -> "Others":
    for point in entry_points(group=_FOLLOWERS, name="queue"):
        try:
            open_followers: OpenFollowers = point.load()
        except ImportError:  # its extra is not installed
            continue
        return open_followers(store, shards)
    raise MissingExtra("--queue", extra="workers")
