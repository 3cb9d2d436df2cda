"""`pointaction trackstore`: what a store of tracks holds, and whether it is as it was written."""

from collections import Counter
from typing import Annotated

import typer

from pointaction.terminal import err, out, plain

trackstore = typer.Typer(
    help="Stores of tracks: what one holds, and whether it is as it was written.",
    no_args_is_help=True,
)

Url = Annotated[str, typer.Argument(help="A folder, or an address such as s3://bucket/folder.")]
_LABELS = 20


@trackstore.command()
def show(store: Url) -> None:
    """How the tracks were made, how many clips there are, and of what labels."""
    from pointaction.trackstore.store import TrackStore

    opened = TrackStore(store)
    making, clips = opened.making, len(opened)
    size = sum(seal.length for seal in opened.shards)
    counts: Counter[str | None] = Counter()
    shapes: set[tuple[int, int]] = set()
    for entry in opened:
        counts[entry.label] += 1
        if entry.features:
            shapes.add(entry.features)
    facts: dict[str, object] = {
        "store": opened.url,
        "tracker": _method(making.tracker),
        "points": _method(making.points),
        "depth": _method(making.depth),
        "features": _features(making.backbone, shapes),
        "tracks": f"{making.tracks} a clip, {making.sampling}",
        **making.notes,
        "making": making.digest,
        "clips": f"{clips:,} in {len(opened.shards):,} shards",
        "size": f"{size / 1e6:,.1f} MB"
        + (f", {size / clips / 1e3:.1f} kB a clip" if clips else ""),
        "digest": opened.digest,
    }
    for fact, value in facts.items():
        out.print(f"{plain(fact) + ':':<9} {plain(value)}", soft_wrap=True)
    for label, count in counts.most_common(_LABELS):
        out.print(f"{count:9,}  {'without a label' if label is None else plain(label)}")
    if len(counts) > _LABELS:
        out.print(f"{'':9}  and {len(counts) - _LABELS} labels more")


@trackstore.command()
def verify(
    store: Url,
    decode: Annotated[
        bool, typer.Option("--decode", help="Open the tracks and features of every clip.")
    ] = False,
) -> None:
    """Compare all that is in a store with its checksums; exit 1 if something is another."""
    from pointaction.progress import counting
    from pointaction.trackstore.store import TrackStore

    opened = TrackStore(store)
    faults: list[str] = []
    with counting("shards") as progress:
        for number in range(len(opened.shards)):
            faults += opened.faults(number, decoding=decode)
            progress(number + 1, len(opened.shards))
    if not faults:
        faults = [f"{key} is there more than once" for key in opened.repeated()]
    for fault in faults:
        err.print(plain(fault), style="red", soft_wrap=True)
    if faults:
        raise typer.Exit(1)
    out.print(f"{plain(opened.url)}: {len(opened):,} clips in {len(opened.shards):,} shards, ok")


def _method(told: dict[str, object] | None) -> str:
    if told is None:
        return "none"
    digest = told.get("digest")
    return f"{told.get('name')} {told.get('version')}" + (f", {str(digest)[:12]}" if digest else "")


def _features(told: dict[str, object] | None, shapes: set[tuple[int, int]]) -> str:
    """A backbone, and how many numbers it gave a clip."""
    if told is None:
        return "none"
    text = f"{told.get('name')}, {str(told.get('digest'))[:12]}, {told.get('frames')} frames"
    if not shapes:
        return text
    tokens, width = max(shapes)
    return f"{text}, {'at most ' * (len(shapes) > 1)}{tokens:,} tokens of {width:,}"
