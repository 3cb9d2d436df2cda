"""What a store of tracks takes on disk, what it loses, and how fast it is read.

    python -m benchmarks.trackstore CLIPS [--cache FOLDER] [--stored 2000]

Every clip of a folder is followed by the service's tracker at 512 points and 32 frames; what it
gives is on the store's grid already, so that the error is told of the same tracks on a clock of 30
frames too, which moves them off it. Sizes are compared with `.tracks.npz` and with the same arrays
in half precision. Speeds are of one core's own time, and side by side: ways take turns, and the
median of their rounds is told. Then a store of several copies of the clips is streamed, read at
random, and trained on. Prints tables and files them under `results/`.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.markdown import Markdown
from torch.utils.data import DataLoader

from benchmarks.machine import RESULTS
from pointaction.evaluation.followed import Followed, follow_folder
from pointaction.evaluation.report import Report, Table
from pointaction.extraction.follower import How
from pointaction.models.store import BUILDERS
from pointaction.progress import counting
from pointaction.tokens.resample import resample
from pointaction.tracks import Tracks
from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.encoding import decode, encode, sizes
from pointaction.trackstore.manifest import AS_GIVEN
from pointaction.trackstore.sample import Sample
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.stream import StoreStream
from pointaction.trackstore.writer import StoreWriter
from pointaction.training.objectives import recognise

POINTS_OF_A_CLIP = 512
ROUNDS = 15


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path, help="folder/<label>/")
    parser.add_argument("--cache", type=Path, help="where tracks are kept; else followed anew")
    parser.add_argument("--stored", type=int, default=2000, help="clips of the store that is read")
    parser.add_argument("--steps", type=int, default=60, help="of training")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    with counting("follow") as progress:
        followed = follow_folder(
            wish.clips, tracks=POINTS_OF_A_CLIP, cache=wish.cache, progress=progress
        )
    tracks = [each.tracks for each in followed]
    with tempfile.TemporaryDirectory() as name:
        store = fill(Path(name), followed, wish.stored)
        tables = {
            "Bytes of a clip, mean": _bytes(tracks),
            "Where they go, bytes of a clip": _planes(tracks),
            "Error": _errors(tracks),
            "Clips a second of one core's time": _speeds(tracks),
            f"Clips a second out of a store of {len(store)}": _reading(store),
            "Training on it": _training(store, wish.steps),
        }
    report = Report(
        title="A store of tracks",
        conditions={
            "clips": f"{len(tracks)} of {wish.clips.name}, {POINTS_OF_A_CLIP} points, 32 frames",
            "in view": f"{np.mean([each.visible.mean() for each in tracks]):.0%} of positions",
        },
        tables=tables,
    )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'trackstore').name}")


def fill(folder: Path, followed: Sequence[Followed], clips: int) -> TrackStore:
    """A store of so many clips: those there are again and again, under other keys."""
    making = replace(How(tracks=POINTS_OF_A_CLIP).making(), order=AS_GIVEN)
    with StoreWriter(TrackStore.create(folder, making), clips_per_shard=500) as writer:
        for number in range(clips):
            each = followed[number % len(followed)]
            key = f"{each.path.stem}-{number // len(followed)}".replace(".", "-")
            writer.add(Sample(key=f"{each.label}/{key}", tracks=each.tracks, label=each.label))
    return TrackStore(folder)


def in_half_precision(tracks: Tracks, *, packed: bool) -> bytes:
    """An `.npz` of the same arrays, of which those of numbers are fp16."""
    buffer = io.BytesIO()
    arrays: dict[str, NDArray[np.generic]] = {
        "xy": tracks.xy.astype(np.float16),
        "visible": tracks.visible,
        "confidence": tracks.confidence.astype(np.float16),
        "query": tracks.query.astype(np.float16),
        "size": np.array(tracks.size),
        "times": tracks.times,
    }
    if tracks.depth is not None:
        arrays["depth"] = tracks.depth.astype(np.float16)
    (np.savez_compressed if packed else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _bytes(tracks: Sequence[Tracks]) -> Table:
    ways: dict[str, Callable[[Tracks], bytes]] = {
        "store": encode,
        "npz, fp16, deflated": lambda each: in_half_precision(each, packed=True),
        "npz, fp16": lambda each: in_half_precision(each, packed=False),
        ".tracks.npz (fp32, deflated)": Tracks.to_bytes,
    }
    found = {
        way: np.array([len(write(each)) for each in tracks], float) for way, write in ways.items()
    }
    rows = {
        way: (
            round(size.mean()),
            round(size.min()),
            round(size.max()),
            f"{size.mean() / found['store'].mean():.2f}",
            f"{(size / found['store']).min():.2f}",
        )
        for way, size in found.items()
    }
    columns = ("mean", "smallest", "largest", "times the store's", "at the worst clip")
    return Table(corner="way", columns=columns, rows=rows)


def _planes(tracks: Sequence[Tracks]) -> Table:
    found = [sizes(encode(each)) for each in tracks]
    rows = {name: (round(np.mean([each[name] for each in found])),) for name in found[0]}
    return Table(corner="plane", columns=("mean",), rows=rows)


def _errors(tracks: Sequence[Tracks]) -> Table:
    clocks = {"as followed": tracks, "on 30 frames": [resample(each, 30) for each in tracks]}
    rows: dict[str, tuple[object, ...]] = {}
    for clock, ones in clocks.items():
        found = [(one, decode(encode(one))) for one in ones]
        pixels = [np.abs(one.xy - other.xy).ravel() for one, other in found]
        rows[f"x and y, pixels, {clock}"] = _quantiles(np.concatenate(pixels))
        half = [
            np.abs(one.xy - one.xy.astype(np.float16).astype(np.float32)).ravel() for one in ones
        ]
        rows[f"the same in fp16, {clock}"] = _quantiles(np.concatenate(half))
        depth = [
            np.abs(one.depth / other.depth - 1).ravel()
            for one, other in found
            if one.depth is not None and other.depth is not None
        ]
        rows[f"depth, share, {clock}"] = _quantiles(np.concatenate(depth))
        trust = [np.abs(one.confidence - other.confidence).ravel() for one, other in found]
        rows[f"confidence, {clock}"] = _quantiles(np.concatenate(trust))
    return Table(corner="of", columns=("median", "99 %", "largest"), rows=rows)


def _quantiles(off: NDArray[np.float32]) -> tuple[object, ...]:
    return tuple(f"{value:.5f}" for value in (np.median(off), np.quantile(off, 0.99), off.max()))


def _speeds(tracks: Sequence[Tracks]) -> Table:
    """All ways in turn, round after round; a clip is let go of before the next, as when a reader
    has put it into a batch: memory that was never used takes time of its own.
    """
    stored = [encode(each) for each in tracks]
    saved = [each.to_bytes() for each in tracks]
    ways: dict[str, tuple[Callable[[Any], object], Sequence[object]]] = {
        "decode": (decode, stored),
        "decode, without depth": (partial(decode, depth=False), stored),
        "Tracks.load": (lambda data: Tracks.load(io.BytesIO(data)), saved),
        "encode": (encode, tracks),
        "Tracks.to_bytes": (Tracks.to_bytes, tracks),
    }
    spent: dict[str, list[float]] = {way: [] for way in ways}
    with counting("rounds") as progress:
        for round_ in range(ROUNDS):
            for way, (work, clips) in ways.items():
                start = process_time()
                for clip in clips:
                    work(clip)
                spent[way].append(process_time() - start)
            progress(round_ + 1, ROUNDS)
    rows = {
        way: (
            round(len(tracks) / median(times)),
            round(len(tracks) / max(times)),
            round(len(tracks) / min(times)),
        )
        for way, times in spent.items()
    }
    return Table(corner="way", columns=("median", "slowest round", "fastest round"), rows=rows)


def _reading(store: TrackStore) -> Table:
    rows: dict[str, tuple[object, ...]] = {}
    for readers in (0, 1, 2):
        start = perf_counter()
        seen = sum(1 for _ in StoreStream(store, epochs=1, readers=readers, lanes=2))
        way = "in this process" if not readers else f"by {readers} processes"
        rows[f"streamed {way}"] = (round(seen / (perf_counter() - start)),)
    keys = list(store.places)
    chosen = np.random.default_rng(0).integers(0, len(keys), len(keys))
    start = perf_counter()
    for number in chosen:
        store.read(keys[number])
    rows["one by one, at random"] = (round(len(keys) / (perf_counter() - start)),)
    return Table(corner="way", columns=("clips a second",), rows=rows)


def _training(store: TrackStore, steps: int) -> Table:
    """How long a step waits for its batch, of how long it takes."""
    labels = sorted({entry.label or "" for entry in store})
    rows: dict[str, tuple[object, ...]] = {}
    for name in ("traction_tiny", "traction"):
        model = BUILDERS[name](len(labels)).train()
        objective = recognise(model, label_smoothing=0.0, contrast=0)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
        supply = StoreBatches(store, labels, batch=32, frames=32, sizes=(128,), seed=1)
        count = steps if name == "traction_tiny" else max(4, steps // 6)
        loader = DataLoader(
            supply,
            batch_size=None,
            sampler=list(range(count)),
            num_workers=1,
            prefetch_factor=4,
        )
        source, waited, begun = iter(loader), 0.0, 0.0
        for number in range(count):
            start = perf_counter()
            batch = next(source)
            if number == 0:  # which is before the processes have begun
                begun = perf_counter()
            else:
                waited += perf_counter() - start
            optimiser.zero_grad(set_to_none=True)
            objective(batch, number)["loss"].backward()
            optimiser.step()
        total = perf_counter() - begun
        rows[name] = (f"{total / count * 1e3:.0f}", f"{1 - waited / total:.1%}")
    columns = ("ms a step of 32 clips, 128 tracks", "busy")
    return Table(corner="model", columns=columns, rows=rows)


if __name__ == "__main__":
    main()
