"""`pointaction track`: points through a clip of any length, in bounded memory."""

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from pointaction.choices import chosen
from pointaction.clip import Clip
from pointaction.depth.lifters import DEFAULT_DEPTH, LIFTERS
from pointaction.errors import InputError
from pointaction.methods import Precision, Running
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.commands import Store
from pointaction.terminal import err, out
from pointaction.tracking.points import DEFAULT_POINTS, POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER, TRACKERS, TrackerMethod

POINTS_HELP = f"Which points to follow: {', '.join(POINTS)}."
TRACKER_HELP = f"Follows the points: {', '.join(TRACKERS)}."
DEPTH_HELP = f"Gives them depth: {', '.join(LIFTERS)}."
Device = Annotated[
    str, typer.Option(envvar="POINTACTION_DEVICE", help="Where networks run: cpu, cuda, cuda:1.")
]
Rounding = Annotated[
    Precision, typer.Option(envvar="POINTACTION_PRECISION", help="Of the networks' products.")
]


def track(
    file: Annotated[Path, typer.Argument(help="A clip.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .tracks.npz to write.")],
    tracks: Annotated[int, typer.Option(min=1, max=10_000, help="Points to follow.")] = 512,
    frames: Annotated[str, typer.Option(help="How many, evenly in time, or: all.")] = "32",
    points: Annotated[str, typer.Option(help=POINTS_HELP)] = DEFAULT_POINTS,
    tracker: Annotated[str, typer.Option(help=TRACKER_HELP)] = DEFAULT_TRACKER,
    depth: Annotated[str, typer.Option(help=DEPTH_HELP)] = DEFAULT_DEPTH,
    device: Device = "cpu",
    precision: Rounding = "float32",
    store: Store = DEFAULT_STORE,
) -> None:
    """Follow points through a clip and write them to a file that holds no picture."""
    from pointaction.progress import counting

    running = Running(device=device, precision=precision)
    method, lifting = chosen(tracker, TRACKERS), chosen(depth, LIFTERS)
    choosing = chosen(points, POINTS)
    follower, lifter = method.open(store, running), lifting.open(store, running)
    clip = _decoded(file, _count(frames), method)
    queries = choosing.open(store, running)(clip, tracks)
    height, width = clip.size
    err.print(f"{len(clip.frames)} frames of {width} x {height}, {len(queries)} points")
    seconds = follower.expected_seconds(clip, queries), lifter.expected_seconds(clip)
    err.print(f"{tracker}: about {span(seconds[0])}; {depth}: about {span(seconds[1])}")
    start = perf_counter()
    with counting("track") as count:
        followed = follower.track(clip, queries, count=count)
    followed.save(output)  # so that what was followed for hours outlasts a fault in the depth
    with counting("depth") as count:
        lifted = lifter.lift(clip, followed, count=count)
    lifted.save(output)
    err.print(f"took {span(perf_counter() - start)}")
    for each in (choosing, method, lifting):
        used = each.used(store, running)
        out.print(f"{used.name} {used.version}, {used.licence}")
    share = lifted.visible.mean()
    out.print(f"{output}: {len(lifted.xy)} tracks, {share:.0%} of their frames visible")


def _decoded(file: Path, frames: int | None, method: TrackerMethod) -> Clip:
    from pointaction.video.decode import DecodeLimits, decode

    # One's own file may be as long as one has the patience for.
    limits = DecodeLimits(max_duration_s=4 * 3600, cpu_s=3600, wall_s=3600, max_file_bytes=1 << 36)
    return decode(
        file, frames=frames, short_side=method.short_side, enlarge=method.enlarge, limits=limits
    )


def _count(frames: str) -> int | None:
    """A number of frames; None for all."""
    if frames == "all":
        return None
    if not frames.isdecimal():
        raise InputError(f"--frames is a number or all, got {frames!r}", value=frames)
    return int(frames)


def span(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 1:
        return "a second"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
