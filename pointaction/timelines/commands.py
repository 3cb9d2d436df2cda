"""`pointaction timeline`: what is done when in a long video, in this process."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointaction.choices import chosen
from pointaction.depth.lifters import DEFAULT_DEPTH
from pointaction.errors import InputError
from pointaction.fewshot.heads import DEFAULT_HEAD, HEADS
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
    from pointaction.client.conversation import Windows
    from pointaction.timelines.local import LocalTimelines
    from pointaction.timelines.segments import Segment
    from pointaction.timelines.timeline import Timeline

_SAVED = ".npz"


def timeline(
    video: Annotated[
        Path, typer.Argument(help="A video of any length, or a timeline that was saved as .npz.")
    ],
    output: Annotated[
        list[Path],
        typer.Option(
            "-o",
            "--output",
            help="A .json, .csv, .vtt (subtitles) or .eaf (ELAN) to write, or an .npz to read "
            "again with other thresholds; may be given several times.",
        ),
    ],
    threshold: Annotated[float, typer.Option(help="Of a label's score, 0 to 1.")] = 0.5,
    window: Annotated[float, typer.Option(help="Seconds that are looked at together.")] = 3.0,
    step: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 1.0,
    model: Annotated[str, typer.Option(help="A model of the catalogue.")] = "traction-tiny",
    episode: Annotated[
        Path | None,
        typer.Option(help="Look for your own actions: a folder of examples, LABEL/FILE."),
    ] = None,
    head: Annotated[
        str, typer.Option(help=f"With --episode, how clips are compared: {', '.join(HEADS)}.")
    ] = DEFAULT_HEAD,
    tracks: Annotated[int, typer.Option(min=1, max=10_000, help="Points in each window.")] = 256,
    points: Annotated[str, typer.Option(help=POINTS_HELP)] = DEFAULT_POINTS,
    tracker: Annotated[str, typer.Option(help=TRACKER_HELP)] = DEFAULT_TRACKER,
    depth: Annotated[str, typer.Option(help=DEPTH_HELP)] = DEFAULT_DEPTH,
    device: Device = "cpu",
    precision: Rounding = "float32",
    store: Store = DEFAULT_STORE,
    server: Annotated[
        str | None,
        typer.Option(
            help="Let the server at this address look; --episode is then the id of one there."
        ),
    ] = None,
) -> None:
    """Say what is done when in a video, hours of it if need be."""
    from pointaction.timelines.local import LocalTimelines
    from pointaction.timelines.segments import Rule
    from pointaction.timelines.timeline import Timeline

    _check(output)
    rule = Rule(threshold=threshold)  # tells at once of a threshold that is none
    if server is not None:
        asked: Windows = {"tracks": tracks, "window_s": window, "step_s": step}
        by: Windows = {"model": model, "points": points, "tracker": tracker, "depth": depth}
        asked |= {"episode": str(episode)} if episode else by
        _ask(server, video, output, threshold, asked)
        return
    if video.suffix == _SAVED:
        found = Timeline.load(video)
    else:
        opened = LocalTimelines.open(
            store,
            model,
            tracks=tracks,
            points=points,
            tracker=tracker,
            depth=depth,
            running=Running(device=device, precision=precision),
        )
        if episode is not None:
            opened = _taught(opened, episode, head)
        found = _viewed(opened, video, window, step)
    segments = found.segments(rule)
    for path in output:
        _write(found, segments, path)
    for each in segments:
        _show(each.start, each.end, each.score, each.label)
    err.print(f"{len(segments)} segments in {span(found.duration_s)}")


def _check(output: Sequence[Path]) -> None:
    """InputError for a file that cannot be written, before hours are spent."""
    from pointaction.timelines.formats import FORMATS

    for path in output:
        chosen(path.suffix.removeprefix("."), FORMATS | {_SAVED.removeprefix("."): None})
        if not path.resolve().parent.is_dir():
            raise InputError(f"there is no folder {path.resolve().parent}; make it first")


def _ask(
    server: str, video: Path, output: Sequence[Path], threshold: float, asked: "Windows"
) -> None:
    """The same by a server."""
    from pointaction.client import Client
    from pointaction.progress import counting

    if any(path.suffix == _SAVED for path in output):
        raise InputError("a server keeps the scores; ask it again for other thresholds")
    with Client(server, os.environ.get("POINTACTION_API_KEY")) as client:
        with counting("percent") as count:
            job = client.timeline(
                video, progress=lambda state: count(round(100 * state.progress), 100), **asked
            ).job
        found = job.segments(threshold)
        for path in output:
            job.save_segments(path, threshold)
    for each in found.segments:
        _show(each.start_s, each.end_s, each.score, each.label)
    err.print(f"{len(found.segments)} segments in {span(found.until_s)}")


def _show(start_s: float, end_s: float, score: float, label: str) -> None:
    out.print(f"{start_s:8.1f} s  {end_s:8.1f} s  {score:4.0%}  {plain(label)}")


def _taught(opened: "LocalTimelines", folder: Path, head: str) -> "LocalTimelines":
    from pointaction.cli import expand
    from pointaction.progress import counting

    examples = [(path.resolve().parent.name, path) for path in expand([str(folder)])]
    with counting("examples") as count:
        return opened.taught(examples, head=head, count=count)


def _viewed(opened: "LocalTimelines", video: Path, window: float, step: float) -> "Timeline":
    from pointaction.progress import counting

    plan = opened.viewer.plan(video, window_s=window, step_s=step)
    seconds = opened.viewer.expected_seconds(plan)
    err.print(f"{plan.windows.count} windows in {span(plan.source.duration_s)}")
    err.print(f"takes about {span(seconds)}")
    with counting("windows") as count:
        return opened.timeline(plan, count=count)


def _write(found: "Timeline", segments: "list[Segment]", path: Path) -> None:
    from pointaction.timelines.formats import FORMATS

    if path.suffix == _SAVED:
        found.save(path)
    else:
        text = FORMATS[path.suffix.removeprefix(".")].write(found, segments)
        path.write_text(text, encoding="utf-8", newline="")
