"""CoTracker3 as we compute it against the same model computed plainly, stage by stage.

    python -m benchmarks.trackers [--settings 24x100 32x256] [--device cuda] [--threads 2]

The plain way is what the paper says, without further thought, and close to the published program:
all frames are one batch, patches are sampled in space and time, all correlations are kept, and the
backward pass starts from pixels. Both have the same weights (random ones, unless `--weights`
names a checkpoint) and see the same film; each run has a process of its own, so that its peak of
memory is its own. The table is filed under `results/`.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import avg_pool3d, gelu, grid_sample, interpolate, layer_norm, linear, pad

from benchmarks.machine import RESULTS
from pointaction.evaluation.report import Report, Table
from pointaction.tracking.cotracker3 import (
    MODEL_SIZE,
    Attention,
    Block,
    CoTracker3Offline,
    CrossBlock,
)

WAYS = ("plain", "float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Setting:
    frames: int
    tracks: int
    way: str
    device: str
    threads: int
    weights: Path | None
    iterations: int = 6


@dataclass(frozen=True, kw_only=True)
class Measured:
    features: float  # seconds
    correlation: float
    transformer: float
    processor: float  # seconds of all threads together: what stays true on a busy machine
    peak: float  # MiB beyond what was there before; of the GPU's memory, where there is one
    xy: NDArray[np.float32]  # (T, N, 2)

    @property
    def one_way(self) -> float:
        return self.features + self.correlation + self.transformer

    def both_ways(self, way: str) -> float:
        """With the backward pass, for which the plain way looks at the film again."""
        again = self.correlation + self.transformer
        return self.one_way + again + (self.features if way == "plain" else 0)


class Stopwatch:
    """Seconds spent in the functions that it watches."""

    def __init__(self, device: str) -> None:
        self.cuda = device != "cpu"
        self.spent: dict[str, float] = defaultdict(float)

    def watch(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            start = self.now()
            answer = function(*given, **named)
            self.spent[name] += self.now() - start
            return answer

        return watched

    def now(self) -> float:
        if self.cuda:
            torch.cuda.synchronize()
        return time.perf_counter()


class Plain:
    """The model from `CoTracker3Offline`'s weights, one formula after another."""

    def __init__(self, model: CoTracker3Offline) -> None:
        self.model = model

    def features(self, video: Tensor) -> list[Tensor]:
        """Pyramid of video (T, 3, H, W): each level (1, C, T, h, w)."""
        level = self.model.fnet(video.float()).transpose(0, 1)[None]
        pyramid = [level]
        for _ in range(3):
            level = avg_pool3d(level, (1, 2, 2))
            pyramid.append(level)
        return pyramid

    def refine(self, pyramid: list[Tensor], queries: Tensor, iters: int) -> Tensor:
        """Positions (T, N, 2) of queries (N, 3)."""
        frames, count = pyramid[0].shape[2], len(queries)
        xy = (queries[:, None, 1:] / 4).repeat(1, frames, 1)  # (N, T, 2)
        logits = xy.new_zeros(count, frames, 2)
        asked = queries[:, :1].floor()  # (N, 1)
        looks = [
            _patches(level, asked, xy[:, :1] / 2**s)[:, 0] for s, level in enumerate(pyramid)
        ]  # each (N, 49, C)
        clock = interpolate(self.model.time_emb.transpose(1, 2), size=frames, mode="linear")
        for _ in range(iters):
            seen = self.compare(pyramid, looks, xy)
            step = xy.diff(dim=1) / xy.new_tensor([128, 96])
            motion = torch.cat([pad(-step, (0, 0, 0, 1)), pad(step, (0, 0, 1, 0))], -1)
            angle = torch.cat([motion * 2**k for k in range(10)], -1)
            waves = [motion, angle.sin(), (angle + torch.pi / 2).sin()]
            token = torch.cat([logits, seen, *waves], -1) + clock.transpose(1, 2)
            change = self.update(token)
            xy, logits = xy + change[..., :2], logits + change[..., 2:]
        return (xy * 4).transpose(0, 1)

    def compare(self, pyramid: list[Tensor], looks: list[Tensor], xy: Tensor) -> Tensor:
        """Correlation features (N, T, 1024)."""
        time = torch.arange(xy.shape[1], device=xy.device).float().expand(len(xy), -1)
        found = []
        for s, level in enumerate(pyramid):
            patches = _patches(level, time, xy / 2**s)  # (N, T, 49, C)
            volume = torch.einsum("ntic,njc->ntij", patches, looks[s])
            found.append(self.model.corr_mlp(volume.flatten(2)))
        return torch.cat(found, -1)

    def update(self, token: Tensor) -> Tensor:
        """Changes (N, T, 4) from tokens (N, T, 1110)."""
        former = self.model.updateformer
        count = len(token)
        x = former.input_transform(token)
        x = torch.cat([x, former.virual_tracks[0].expand(-1, x.shape[1], -1)])
        for number in range(3):
            x = _block(former.time_blocks[number], x)
            tracks, virtual = x.transpose(0, 1).split([count, 64], 1)
            virtual = _block(former.space_virtual2point_blocks[number], virtual, tracks)
            virtual = _block(former.space_virtual_blocks[number], virtual)
            tracks = _block(former.space_point2virtual_blocks[number], tracks, virtual)
            x = torch.cat([tracks, virtual], 1).transpose(0, 1)
        x = x[:count]
        return torch.cat([former.flow_head(x), former.vis_conf_head(x)], -1)


def _patches(level: Tensor, time: Tensor, xy: Tensor) -> Tensor:
    """Features (N, T, 49, C) around xy (N, T, 2) in frames time (N, T); x is the slow axis."""
    frames, height, width = level.shape[2:]
    around = torch.arange(-3.0, 4, device=xy.device)
    offset = torch.cartesian_prod(around, around)  # (49, 2)
    place = xy[:, :, None] + offset
    when = time[:, :, None, None].expand(-1, -1, 49, 1)
    place = torch.cat([place, when], -1)  # (N, T, 49, 3)
    most = place.new_tensor([width - 1, height - 1, max(1, frames - 1)])
    found = grid_sample(
        level, (2 * place / most - 1)[None], padding_mode="border", align_corners=True
    )
    return found[0].permute(1, 2, 3, 0)


def _block(block: torch.nn.Module, x: Tensor, context: Tensor | None = None) -> Tensor:
    calm = layer_norm(x, x.shape[-1:], eps=1e-6)
    if context is None:
        assert isinstance(block, Block)
        x = x + _attend(block.attn, calm, calm)
    else:
        assert isinstance(block, CrossBlock)
        x = x + _attend(block.cross_attn, calm, block.norm_context(context))
    hidden = linear(layer_norm(x, x.shape[-1:], eps=1e-6), block.mlp.fc1.weight, block.mlp.fc1.bias)
    return x + linear(gelu(hidden, approximate="tanh"), block.mlp.fc2.weight, block.mlp.fc2.bias)


def _attend(attention: Attention, x: Tensor, context: Tensor) -> Tensor:
    q = attention.to_q(x).unflatten(-1, (8, 48)).transpose(1, 2)
    k, v = (
        part.unflatten(-1, (8, 48)).transpose(1, 2)
        for part in attention.to_kv(context).chunk(2, -1)
    )
    share = (q @ k.transpose(-2, -1) / 48**0.5).softmax(-1)
    return attention.to_out((share @ v).transpose(1, 2).flatten(2))


def film(frames: int) -> Tensor:
    """Texture that drifts by (3, 1) pixels a frame: (T, 3, H, W) uint8."""
    height, width = MODEL_SIZE
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(1, 3, 60, 90, generator=generator) * 255
    world = interpolate(rough, size=(height + frames, width + 3 * frames), mode="bicubic")
    world = world.clamp(0, 255).byte()[0]
    return torch.stack([world[:, t : t + height, 3 * t : 3 * t + width] for t in range(frames)])


def ask(tracks: int, frames: int) -> Tensor:
    """Queries (N, 3), anywhere and any time."""
    generator = torch.Generator().manual_seed(1)
    height, width = MODEL_SIZE
    most = torch.tensor([frames, width - 1, height - 1])
    queries = torch.rand(tracks, 3, generator=generator) * most
    queries[:, 0] = queries[:, 0].floor()
    return queries


@torch.no_grad()
def measure(setting: Setting) -> Measured:
    """One run, after a small one that wakes up what is made at first use."""
    torch.set_num_threads(setting.threads)
    torch.manual_seed(0)
    model = CoTracker3Offline().eval()
    if setting.weights is not None:
        model.load_state_dict(load_file(setting.weights))
    model.to(setting.device)
    video = film(setting.frames).to(setting.device)
    queries = ask(setting.tracks, setting.frames).to(setting.device)
    watch = Stopwatch(setting.device)
    run = _plain(model, watch) if setting.way == "plain" else _ours(model, watch, setting.way)
    run(video[:1, :, :64, :64], queries[:1] * 0, 1)
    watch.spent.clear()
    before = _memory(setting.device)
    processor = time.process_time()
    xy = run(video, queries, setting.iterations)
    spent = watch.spent
    return Measured(
        features=spent["features"],
        correlation=spent["correlation"],
        transformer=spent["transformer"],
        processor=time.process_time() - processor,
        peak=_memory(setting.device) - before,
        xy=xy.cpu().numpy(),
    )


def _ours(
    model: CoTracker3Offline, watch: Stopwatch, precision: str
) -> Callable[[Tensor, Tensor, int], Tensor]:
    features = watch.watch("features", model.features)
    tokens = watch.watch("correlation", model._tokens)
    update = watch.watch("transformer", model.updateformer.forward)
    model.__dict__["_tokens"], model.updateformer.__dict__["forward"] = tokens, update
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    return lambda video, queries, iters: model.refine(features(video, dtype=dtype), queries, iters)[
        0
    ]


def _plain(model: CoTracker3Offline, watch: Stopwatch) -> Callable[[Tensor, Tensor, int], Tensor]:
    plain = Plain(model)
    features = watch.watch("features", plain.features)
    compare = watch.watch("correlation", plain.compare)
    update = watch.watch("transformer", plain.update)
    plain.__dict__["compare"], plain.__dict__["update"] = compare, update
    return lambda video, queries, iters: plain.refine(features(video), queries, iters)


def _memory(device: str) -> float:
    """The peak so far, MiB."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rows(measured: dict[str, Measured]) -> dict[str, tuple[object, ...]]:
    """Figures of one setting, by way; the first one is what the others are compared with."""
    first, reference = next(iter(measured.items()))
    told: dict[str, tuple[object, ...]] = {}
    for way, one in measured.items():
        off = np.linalg.norm(one.xy - reference.xy, axis=-1)
        told[way] = (
            one.features,
            one.correlation,
            one.transformer,
            one.one_way,
            f"{reference.one_way / one.one_way:.2f} x",
            f"{reference.both_ways(first) / one.both_ways(way):.2f} x",
            one.processor,
            one.peak,
            f"{np.median(off):.1e}",
            f"{np.quantile(off, 0.99):.1e}",
        )
    return told


COLUMNS = (
    "features s",
    "correlation s",
    "transformer s",
    "all s",
    "faster",
    "faster, both ways",
    "processor s",
    "peak MiB",
    "off px, median",
    "off px, 99 %",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--settings", nargs="+", default=["24x100", "32x256", "32x512", "48x256"], metavar="TxN"
    )
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--iterations", type=int, default=6)
    given = parser.parse_args()
    tables = {}
    spawn = multiprocessing.get_context("spawn")
    for name in given.settings:
        frames, tracks = map(int, name.split("x"))
        measured = {}
        for way in given.ways:
            setting = Setting(
                frames=frames,
                tracks=tracks,
                way=way,
                device=given.device,
                threads=given.threads,
                weights=given.weights,
                iterations=given.iterations,
            )
            with spawn.Pool(1) as process:
                measured[way] = process.apply(measure, (setting,))
        caption = f"{frames} frames, {tracks} tracks"
        tables[caption] = Table(corner="way", columns=COLUMNS, rows=rows(measured))
    report = Report(
        title="CoTracker3, ours and plain",
        conditions={
            "weights": given.weights.name if given.weights else "random, seed 0",
            "iterations": given.iterations,
            "device": _name(given.device),
            "threads": given.threads,
            "load average": f"{os.getloadavg()[0]:.1f}",
            "plain": "one batch of frames, sampling in space and time, all correlations kept",
            "both ways": "from the stages: we compute features once, the plain way twice",
        },
        tables=tables,
    )
    print(report.markdown())  # noqa: T201
    report.write(RESULTS, "trackers")


def _name(device: str) -> str:
    return device if device == "cpu" else torch.cuda.get_device_name()


if __name__ == "__main__":
    main()
