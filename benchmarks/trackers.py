"""CoTracker3 as we compute it against the same model computed plainly, stage by stage.

    python -m benchmarks.trackers [--settings 24x100 32x256] [--device cuda] [--threads 2]

The plain way stands in for the published program, which may not be copied here. It does what is
known of that program, in the same order: all frames are one batch, patches are sampled with the
library's three-dimensional sampler, all correlations are kept, and the pass backward starts again
from pixels. Both have the same weights (random ones, unless `--weights` names a checkpoint) and
see the same film, onward and then backward. Each run has a process of its own, so that its peak of
memory is its own. The table is filed under `results/`.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import (
    avg_pool2d,
    gelu,
    grid_sample,
    instance_norm,
    interpolate,
    layer_norm,
    linear,
    pad,
    relu,
)

from benchmarks.machine import RESULTS
from pointaction.evaluation.report import Report, Table
from pointaction.tracking.cotracker3 import (
    MODEL_SIZE,
    Attention,
    Block,
    CoTracker3Offline,
    CrossBlock,
    ResidualBlock,
)

Passes = Callable[[Tensor, Tensor, int], Iterator[Tensor]]
"""From video (T, 3, H, W), queries (N, 3), iterations: positions (T, N, 2), onward and backward."""


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
    """What a run has cost so far."""

    features: float  # seconds
    correlation: float
    transformer: float
    all: float
    processor: float  # seconds of all threads together: what stays true on a busy machine
    peak: float  # MiB beyond what was there before; of the GPU's memory, where there is one
    xy: NDArray[np.float32]  # (T, N, 2)


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
        """Pyramid of video (T, 3, H, W): each level (T, C, h, w)."""
        net = self.model.fnet
        x = relu(instance_norm(net.conv1(2 * (video.float() / 255) - 1)))
        size = (video.shape[-2] // 4, video.shape[-1] // 4)
        stages = []
        for first, second in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = _residual(second, _residual(first, x))
            stages.append(interpolate(x, size=size, mode="bilinear", align_corners=True))
        x = net.conv3(relu(instance_norm(net.conv2(torch.cat(stages, 1)))))
        level = x / x.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()
        pyramid = [level]
        for _ in range(3):
            level = avg_pool2d(level, 2)
            pyramid.append(level)
        return pyramid

    def refine(self, pyramid: list[Tensor], queries: Tensor, iters: int) -> Tensor:
        """Positions (T, N, 2) of queries (N, 3)."""
        frames, count = len(pyramid[0]), len(queries)
        xy = (queries[:, None, 1:] / 4).repeat(1, frames, 1)  # (N, T, 2)
        logits = xy.new_zeros(count, frames, 2)
        looks = self.look(pyramid, queries)
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

    def look(self, pyramid: list[Tensor], queries: Tensor) -> list[Tensor]:
        """Patches (N, 49, C) of the queries' own frames, which are found along a third axis."""
        looks = []
        for s, level in enumerate(pyramid):
            place = _patch(queries[:, 1:] / (4 * 2**s))  # (N, 49, 2)
            time = queries[:, :1, None].floor().expand(-1, 49, -1)
            found = _sample(level.transpose(0, 1)[None], torch.cat([place, time], -1)[None])
            looks.append(found[0].permute(1, 2, 0))
        return looks

    def compare(self, pyramid: list[Tensor], looks: list[Tensor], xy: Tensor) -> Tensor:
        """Correlation features (N, T, 1024)."""
        found = []
        for s, level in enumerate(pyramid):
            place = pad(_patch(xy.transpose(0, 1) / 2**s), (0, 1))  # (T, N, 49, 3)
            patches = _sample(level[:, :, None], place)  # (T, C, N, 49)
            volume = torch.einsum("tcni,njc->ntij", patches, looks[s])
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


def _residual(block: torch.nn.Module, x: Tensor) -> Tensor:
    assert isinstance(block, ResidualBlock)
    y = relu(instance_norm(block.conv1(x)))
    y = relu(instance_norm(block.conv2(y)))
    if block.downsample is not None:
        x = instance_norm(block.downsample(x))
    return relu(x + y)


def _patch(xy: Tensor) -> Tensor:
    """The 49 places (..., 49, 2) around xy (..., 2); x is the slow axis."""
    around = torch.arange(-3.0, 4, device=xy.device)
    return xy[..., None, :] + torch.cartesian_prod(around, around)


def _sample(volume: Tensor, place: Tensor) -> Tensor:
    """From volume (b, C, t, h, w), at places (b, N, 49, 3) of (x, y, t): (b, C, N, 49)."""
    frames, height, width = volume.shape[2:]
    most = place.new_tensor([width - 1, height - 1, max(1, frames - 1)])
    grid = (2 * place / most - 1)[:, :, :, None]
    return grid_sample(volume, grid, padding_mode="border", align_corners=True)[..., 0]


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
def measure(setting: Setting) -> list[Measured]:
    """One run, onward and then backward, after a small one that wakes up what is slow at first."""
    torch.set_num_threads(setting.threads)
    torch.manual_seed(0)
    model = CoTracker3Offline().eval()
    if setting.weights is not None:
        model.load_state_dict(load_file(setting.weights))
    model.to(setting.device)
    video = film(setting.frames).to(setting.device)
    queries = ask(setting.tracks, setting.frames).to(setting.device)
    watch = Stopwatch(setting.device)
    passes = _plain(model, watch) if setting.way == "plain" else _ours(model, watch, setting.way)
    next(passes(video[:1, :, :64, :64], queries[:1] * 0, 1))
    watch.spent.clear()
    before, start, processor = _memory(setting.device), watch.now(), time.process_time()
    measured = []
    for xy in passes(video, queries, setting.iterations):
        measured.append(
            Measured(
                **{stage: watch.spent[stage] for stage in STAGES},
                all=watch.now() - start,
                processor=time.process_time() - processor,
                peak=_memory(setting.device) - before,
                xy=xy.cpu().numpy(),
            )
        )
    return measured


def _ours(model: CoTracker3Offline, watch: Stopwatch, precision: str) -> Passes:
    features = watch.watch("features", model.features)
    tokens = watch.watch("correlation", model._tokens)
    update = watch.watch("transformer", model.updateformer.forward)
    model.__dict__["_tokens"], model.updateformer.__dict__["forward"] = tokens, update
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32

    def passes(video: Tensor, queries: Tensor, iters: int) -> Iterator[Tensor]:
        pyramid = features(video, dtype=dtype)
        yield model.refine(pyramid, queries, iters)[0]
        backward = pyramid.look(torch.arange(len(video) - 1, -1, -1, device=video.device))
        yield model.refine(backward, turned(queries, len(video)), iters)[0]

    return passes


def _plain(model: CoTracker3Offline, watch: Stopwatch) -> Passes:
    plain = Plain(model)
    features = watch.watch("features", plain.features)
    for stage, name in (
        ("correlation", "look"),
        ("correlation", "compare"),
        ("transformer", "update"),
    ):
        plain.__dict__[name] = watch.watch(stage, getattr(plain, name))

    def passes(video: Tensor, queries: Tensor, iters: int) -> Iterator[Tensor]:
        yield plain.refine(features(video), queries, iters)
        yield plain.refine(features(video.flip(0)), turned(queries, len(video)), iters)

    return passes


def turned(queries: Tensor, frames: int) -> Tensor:
    """The same queries (N, 3) in the film that runs backward."""
    return torch.cat([frames - 1 - queries[:, :1], queries[:, 1:]], -1)


def _memory(device: str) -> float:
    """The peak so far, MiB."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rows(measured: dict[str, list[Measured]]) -> dict[str, tuple[object, ...]]:
    """Figures of one setting, by way; the first way is what the others are compared with."""
    first = next(iter(measured.values()))
    told: dict[str, tuple[object, ...]] = {}
    for number, suffix in enumerate(("", ", and backward")):
        for way, passes in measured.items():
            one, reference = passes[number], first[number]
            off = np.linalg.norm(one.xy - reference.xy, axis=-1)
            told[way + suffix] = (
                *(getattr(one, name) for name in (*STAGES, "all")),
                f"{reference.all / one.all:.2f} x",
                one.processor,
                f"{reference.processor / one.processor:.2f} x",
                one.peak,
                f"{np.median(off):.1e}",
                f"{np.quantile(off, 0.99):.1e}",
            )
    return told


STAGES = ("features", "correlation", "transformer")
COLUMNS = (
    *(f"{name} s" for name in (*STAGES, "all")),
    "faster",
    "processor s",
    "less processor",
    "peak MiB",
    "off px, median",
    "off px, 99 %",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    settings = ["24x100", "32x256", "32x512", "48x256"]
    parser.add_argument("--settings", nargs="+", default=settings, metavar="TxN")
    parser.add_argument(
        "--bfloat16", nargs="*", default=settings, metavar="TxN", help="in which of them as well"
    )
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
        for way in ("plain", "float32", *(["bfloat16"] if name in given.bfloat16 else [])):
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
        report = _report(given, tables)
        report.write(RESULTS, "trackers")  # after each setting: all of them take a while
    print(report.markdown())  # noqa: T201


def _report(given: argparse.Namespace, tables: dict[str, Table]) -> Report:
    return Report(
        title="CoTracker3, ours and plain",
        conditions={
            "weights": given.weights.name if given.weights else "random, seed 0",
            "iterations": given.iterations,
            "device": _name(given.device),
            "threads": given.threads,
            "load average": f"{os.getloadavg()[0]:.1f}",
            "plain": "what is known of the published program: one batch of frames, "
            "three-dimensional sampling, all correlations kept, backward from pixels again",
            "and backward": "both passes together",
        },
        tables=tables,
    )


def _name(device: str) -> str:
    return device if device == "cpu" else torch.cuda.get_device_name()


if __name__ == "__main__":
    main()
