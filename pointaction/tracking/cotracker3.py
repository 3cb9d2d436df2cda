"""CoTracker3, the offline model: points followed through all frames of a clip at once.

Karaev et al., "CoTracker3: Simpler and Better Point Tracking by Pseudo-Labelling Real Videos"
(2024). Written from the paper and from notes on what the published model (2025-01-21, 82e02e8)
computes; names and shapes of the weights are the official ones, so its checkpoints load strictly.
Outputs are the original's up to rounding. What differs is the way to them:

- Features are computed frame by frame, once, and kept as a `Pyramid` that any number of sets of
  queries can be refined on, and that reads its frames in any order (backward, or a part).
- Correlation is linear in the features. So each track multiplies 8 x 8 whole cells with its 49
  query vectors, and the products are blended to 7 x 7, not the 128 channels that they come from.
- What comes out the same is computed once: linear layers with nothing between are one, and what
  the virtual tracks learn in their first block does not depend on the frame.
- Everything after the features goes in blocks, in memory that is used again: nothing of the size
  of all tracks is kept but their tokens.
- On a CPU in float32 the largest convolution is Winograd's, channels lie last, and the tanh of the
  transformer's GELU is the fast one.

Inference only: it works in place and records no gradients.

Shapes:  B clips   T frames   N tracks   V virtual tracks   D width   L tokens of a sequence
         S pyramid levels   h, w cells of a level   C feature channels   K = 49 places of a patch
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import scaled_dot_product_attention

from pointaction.tracking.winograd import Winograd

MODEL_SIZE = (384, 512)  # (height, width) that the model was made for; others work, less well
VIRTUAL_TRACKS = 64

_STRIDE = 4  # pixels per cell of the finest level
_LEVELS = 4
_SIDE = 7  # of a patch, in cells
_CHANNELS, _WIDTH, _HEADS, _CLOCK = 128, 384, 8, 60
_LARGEST = (MODEL_SIZE[1] / _STRIDE, MODEL_SIZE[0] / _STRIDE)  # motion is told in these units
_OCTAVES = 10
_TOKEN = 2 + 256 * _LEVELS + 4 * (1 + 2 * _OCTAVES)  # 1110


def _unwatched() -> None:
    """Iterations that nobody counts."""


class ResidualBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride)) if stride > 1 else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = _even(self.conv1(x)).relu_()
        y = _even(self.conv2(y)).relu_()
        if self.downsample is not None:
            x = _even(self.downsample(x))
        return y.add_(x).relu_()


class FeatureNet(nn.Module):
    """Pictures (f, 3, H, W), grey levels 0 to 255, as unit vectors (f, C, H / 4, W / 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.layer1 = _stage(64, 64, stride=1)
        self.layer2 = _stage(64, 96, stride=2)
        self.layer3 = _stage(96, 128, stride=2)
        self.layer4 = _stage(128, 128, stride=2)
        self.conv2 = nn.Conv2d(64 + 96 + 128 + 128, 256, 3, padding=1)
        self.conv3 = nn.Conv2d(256, _CHANNELS, 1)

    def forward(self, pictures: Tensor, merge: Winograd | None = None) -> Tensor:
        """`merge` is the convolution that puts the stages together, if one was made ready."""
        size = (pictures.shape[-2] // _STRIDE, pictures.shape[-1] // _STRIDE)
        if pictures.device.type == "cpu":
            # Convolutions take 0.7 of the time where a pixel's channels lie together.
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        x = _even(self.conv1(2 * (pictures / 255) - 1)).relu_()
        stages = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            stages.append(functional.interpolate(x, size=size, mode="bilinear", align_corners=True))
        # It is 45 % of all products. Its bias would go with the mean.
        x = merge(stages) if merge else self.conv2(torch.cat(stages, 1))
        x = self.conv3(_even(x).relu_()).float()
        return x / x.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()


def _even(x: Tensor) -> Tensor:
    """Instance norm of maps (f, c, h, w)."""
    if x.device.type == "cpu":  # torch's own would copy maps whose channels lie last
        return functional.group_norm(x, x.shape[1])
    return functional.instance_norm(x)


def _stage(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualBlock(inputs, outputs, stride), ResidualBlock(outputs, outputs, stride=1)
    )


@dataclass(frozen=True, slots=True)
class Pyramid:
    """Features of a clip at four scales, and the order in which its frames are looked at."""

    maps: tuple[Tensor, ...]  # each (frames, h, w, C), h and w halved from one to the next
    order: Tensor  # (T,) int64: which frame of the maps is frame t

    @property
    def dtype(self) -> torch.dtype:
        return self.maps[0].dtype

    def look(self, order: Tensor) -> "Pyramid":
        """The same maps, seen in another order, or in part; nothing is copied."""
        return replace(self, order=self.order[order])

    def patches(
        self, level: int, time: Tensor, xy: Tensor, out: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The 8 x 8 whole cells around places xy (..., 2) of `level` in frames time (...).

        Gives them as (..., 8, 8, C), rows first, and the place's offset (..., 2) to the right and
        down within its cell. What lies outside the map is as the border.
        """
        _, height, width, _ = self.maps[level].shape
        whole = xy.floor()
        around = torch.arange(_SIDE + 1, device=xy.device) - _SIDE // 2
        cells = whole.long()[..., None] + around  # (..., 2, 8)
        x, y = cells[..., 0, :].clamp(0, width - 1), cells[..., 1, :].clamp(0, height - 1)
        rows = self.order[time][..., None] * height + y
        index = rows[..., :, None] * width + x[..., None, :]  # (..., 8, 8)
        flat = None if out is None else out.flatten(0, -2)
        found = torch.index_select(self.maps[level].flatten(0, 2), 0, index.flatten(), out=flat)
        return found.unflatten(0, index.shape), xy - whole


def blend(
    corners: Tensor, offset: Tensor, *, room: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """Values (..., 8, 8, X) at whole cells as (..., 7, 7, X) between them, offset (..., 2).

    `room` (..., 7, 8, X) is for what is between.
    """
    right, down = offset.to(corners.dtype)[..., None, None, None, :].unbind(-1)
    rows = torch.lerp(corners[..., :-1, :, :], corners[..., 1:, :, :], down, out=room)
    return torch.lerp(rows[..., :-1, :], rows[..., 1:, :], right, out=out)


class Mlp(nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int, *, gelu: str) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, outputs)
        self.gelu = gelu  # "none": exact; "tanh": its approximation

    def forward(self, x: Tensor) -> Tensor:
        ours = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        if self.gelu == "none" or not ours or torch.compiler.is_compiling():
            return self.fc2(functional.gelu(self.fc1(x), approximate=self.gelu))
        hidden = functional.linear(x, self.fc1.weight)
        for part in hidden.flatten(0, -2).split(128):
            _gelu_(part.add_(self.fc1.bias))
        return self.fc2(hidden)


def _gelu_(x: Tensor) -> None:
    """The approximate one, in place: x (1 + tanh(a x + b x^3)) / 2.

    A number takes 1.6 ns in pieces that stay in the cache. In torch's own function it takes 3.3:
    there tanh is slower than that of `torch.tanh`, which is MKL's.
    """
    a = (2 / torch.pi) ** 0.5
    y = x * x
    y.mul_(0.044715 * a).add_(a).mul_(x).tanh_()
    x.mul_(0.5).addcmul_(x, y)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_q = nn.Linear(_WIDTH, _WIDTH)
        self.to_kv = nn.Linear(_WIDTH, 2 * _WIDTH)
        self.to_out = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """What each of x (S, L, D) reads in its sequence of `context` (S, L', D)."""
        q = self.to_q(x).unflatten(-1, (_HEADS, -1)).transpose(1, 2)  # (S, heads, L, D / heads)
        kv = self.to_kv(context).unflatten(-1, (2, _HEADS, -1))
        k, v = kv.permute(2, 0, 3, 1, 4)
        return self.to_out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Sequences read themselves; then each token thinks. `rows` tokens at a time, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = Attention()
        self.mlp = Mlp(_WIDTH, 4 * _WIDTH, _WIDTH, gelu="tanh")

    def forward(self, x: Tensor, *, rows: int) -> None:
        """x (sequences, L, D)"""
        for part in x.split(max(1, rows // x.shape[1])):
            calm = _normalise(part)
            part += self.attn(calm, calm)
            part += self.mlp(_normalise(part))


class CrossBlock(nn.Module):
    """As `Block`, but sequences read others."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_context = nn.LayerNorm(_WIDTH)
        self.cross_attn = Attention()
        self.mlp = Mlp(_WIDTH, 4 * _WIDTH, _WIDTH, gelu="tanh")

    def forward(self, x: Tensor, context: Tensor, *, rows: int) -> None:
        """x (sequences, L, D) and what they read, (sequences, L', D)"""
        size = max(1, rows // max(x.shape[1], context.shape[1]))
        for part, read in zip(x.split(size), context.split(size), strict=True):
            part += self.cross_attn(_normalise(part), self.norm_context(read))
            part += self.mlp(_normalise(part))


def _normalise(x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], eps=1e-6)


class UpdateFormer(nn.Module):
    """Says from all tokens how each track should change in each frame.

    Tracks do not read each other but write to and read from 64 virtual tracks, so the work
    grows with their number and not with its square.
    """

    def __init__(self) -> None:
        super().__init__()
        self.input_transform = nn.Linear(_TOKEN, _WIDTH)
        self.virual_tracks = nn.Parameter(
            torch.randn(1, VIRTUAL_TRACKS, 1, _WIDTH)
        )  # official spelling
        self.time_blocks = nn.ModuleList(Block() for _ in range(3))
        self.space_virtual_blocks = nn.ModuleList(Block() for _ in range(3))
        # Named by the way of what is read: in the first, points read virtual tracks.
        self.space_point2virtual_blocks = nn.ModuleList(CrossBlock() for _ in range(3))
        self.space_virtual2point_blocks = nn.ModuleList(CrossBlock() for _ in range(3))
        self.flow_head = nn.Linear(_WIDTH, 2)
        self.vis_conf_head = nn.Linear(_WIDTH, 2)

    def forward(self, x: Tensor, *, rows: int) -> tuple[Tensor, Tensor]:
        """Steps (N, T, 2) in cells, and of both logits (N, T, 2), from x (N + V, T, D).

        The last V rows of x are filled in here; x is overwritten.
        """
        tracks, virtual = x[:-VIRTUAL_TRACKS], x[-VIRTUAL_TRACKS:]
        # At first virtual tracks are the same in all frames, so one of them stands for all.
        still = self.virual_tracks[0].clone()  # (V, 1, D)
        self.time_blocks[0](still, rows=rows)
        virtual[:] = still
        layers = zip(
            self.time_blocks,
            self.space_virtual2point_blocks,
            self.space_virtual_blocks,
            self.space_point2virtual_blocks,
            strict=True,
        )
        for number, (along_time, gather, mix, spread) in enumerate(layers):
            along_time(x if number else tracks, rows=rows)
            by_frame, few = tracks.transpose(0, 1), virtual.transpose(0, 1)  # (T, N or V, D)
            gather(few, by_frame, rows=rows)
            mix(few, rows=rows)
            spread(by_frame, few, rows=rows)
        # bfloat16 has three digits, too few for a step in pixels.
        with torch.autocast(x.device.type, enabled=False):
            return self.flow_head(tracks), self.vis_conf_head(tracks)


class State(NamedTuple):
    """What is believed of N tracks in T frames, between one iteration and the next."""

    xy: Tensor  # (N, T, 2) in cells
    visibility: Tensor  # (N, T) logit
    confidence: Tensor  # (N, T) logit

    @classmethod
    def at(cls, queries: Tensor, frames: int) -> "State":
        """Queries (N, 3) of (t, x, y) in pixels: in every frame where they were asked."""
        xy = (queries[:, None, 1:] / _STRIDE).repeat(1, frames, 1)
        return cls(xy, torch.zeros_like(xy[..., 0]), torch.zeros_like(xy[..., 0]))

    def where(self, mask: Tensor, other: "State") -> "State":
        """This where mask (N, T) is True, and the other elsewhere."""
        return State(
            torch.where(mask[..., None], self.xy, other.xy),
            torch.where(mask, self.visibility, other.visibility),
            torch.where(mask, self.confidence, other.confidence),
        )

    def answer(self) -> tuple[Tensor, Tensor, Tensor]:
        """Positions (T, N, 2) in pixels, visibility and confidence (T, N), both 0 to 1."""
        return (
            (self.xy * _STRIDE).transpose(0, 1),
            self.visibility.sigmoid().transpose(0, 1),
            self.confidence.sigmoid().transpose(0, 1),
        )


class CoTracker3Offline(nn.Module):
    """The whole. `state_dict` has the official names and shapes, a misspelt one included.

    `rows` is how many tokens (a track in a frame) are worked on at once; None: what suits the
    device. It decides speed and memory, and no more than the rounding of results.
    """

    time_emb: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fnet = FeatureNet()
        self.updateformer = UpdateFormer()
        self.corr_mlp = Mlp(_SIDE**4, 384, 256, gelu="none")
        self.register_buffer("time_emb", _clock(_CLOCK, _TOKEN))
        self.rows: int | None = None

    def forward(
        self,
        video: Tensor,
        queries: Tensor,
        iters: int = 6,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Follow queries (B, N, 3) of (t, x, y), in pixels, through video (B, T, 3, H, W).

        The video holds 0 to 255. Gives positions (B, T, N, 2) in pixels, visibility and confidence
        (B, T, N), both 0 to 1. Clips of a batch do not know of each other; they go one by one.
        """
        answers = [
            self.refine(self.features(clip, dtype=dtype), asked, iters)
            for clip, asked in zip(video, queries, strict=True)
        ]
        xy, visibility, confidence = (torch.stack(parts) for parts in zip(*answers, strict=True))
        return xy, visibility, confidence

    @torch.no_grad()
    def features(
        self,
        video: Tensor,
        *,
        size: tuple[int, int] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Pyramid:
        """The pyramid of video (T, 3, H, W), 0 to 255.

        Frames are resized to `size` (height, width), where it is given, one by one. With
        bfloat16 all that follows is computed in it, but for places, sums and norms.
        """
        height, width = size or video.shape[-2:]
        shape = (len(video), height // _STRIDE, width // _STRIDE, _CHANNELS)
        device = self.time_emb.device
        maps = [
            torch.empty(
                shape[0], shape[1] >> s, shape[2] >> s, shape[3], dtype=dtype, device=device
            )
            for s in range(_LEVELS)
        ]
        # A batch is faster on a GPU. On a CPU a single frame is: its maps stay in the cache.
        batch = 1 if device.type == "cpu" else 8
        exact = dtype == torch.float32
        merge = None
        if exact and device.type == "cpu":
            merge = Winograd(self.fnet.conv2.weight, (shape[1], shape[2]))
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=not exact):
            for start in range(0, len(video), batch):
                pictures = video[start : start + batch].to(device).float()
                if pictures.shape[-2:] != (height, width):
                    pictures = functional.interpolate(
                        pictures, size=(height, width), mode="bilinear", align_corners=True
                    )
                level = self.fnet(pictures, merge)
                for s in range(_LEVELS):
                    level = functional.avg_pool2d(level, 2) if s else level
                    maps[s][start : start + batch] = level.permute(0, 2, 3, 1)
        return Pyramid(tuple(maps), torch.arange(len(video), device=device))

    def refine(
        self, pyramid: Pyramid, queries: Tensor, iters: int = 6
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Follow queries (N, 3) of (t, x, y); gives (T, N, 2), (T, N) and (T, N) as `forward`.

        Tracks reach each other only through the virtual tracks, but so they do: the same query
        among others has another answer (of the same quality; support points give it company).
        Only the features are shared exactly.
        """
        state = State.at(queries, len(pyramid.order))
        return self.iterate(pyramid, self.describe(pyramid, queries), state, iters).answer()

    @torch.no_grad()
    def describe(self, pyramid: Pyramid, queries: Tensor) -> Tensor:
        """What the queries (N, 3) look like: patches (S, N, K, C), in rows, of their own frames."""
        time, xy = queries[:, 0].long(), queries[:, 1:] / _STRIDE
        looks = []
        for level in range(_LEVELS):
            corners, offset = pyramid.patches(level, time, xy / 2**level)
            looks.append(blend(corners, offset).flatten(1, 2))
        return torch.stack(looks)

    @torch.no_grad()
    def iterate(
        self,
        pyramid: Pyramid,
        looks: Tensor,
        state: State,
        iters: int,
        *,
        each: Callable[[], None] = _unwatched,
    ) -> State:
        """Refine the state of N tracks that look like `looks` (S, N, K, C).

        `each` is called after each iteration, and may raise to stop.
        """
        frames = len(pyramid.order)
        xy, visibility, confidence = (part.clone() for part in state)
        x = xy.new_empty(len(xy) + VIRTUAL_TRACKS, frames, _WIDTH)
        lower = torch.autocast(
            x.device.type, dtype=torch.bfloat16, enabled=pyramid.dtype != torch.float32
        )
        with lower:
            entry = self._entry(frames, pyramid.dtype)
            tracks = max(1, min(len(xy), self._at_once()[1] // frames))
            room = _Room.of(tracks * frames, entry.first)
            for _ in range(iters):
                state = State(xy, visibility, confidence)
                self._tokens(x[:-VIRTUAL_TRACKS], pyramid, looks, state, entry, room)
                step, logits = self.updateformer(x, rows=self._at_once()[0])
                xy += step
                visibility += logits[..., 0]
                confidence += logits[..., 1]
                each()
        return State(xy, visibility, confidence)

    def _at_once(self) -> tuple[int, int]:
        """How many tokens to work on in the transformer, and how many to make."""
        if self.rows is not None:
            return self.rows, self.rows // 3
        # A token takes 6 kB in the transformer's middle, and 100 kB where it is made.
        return (3072, 1024) if self.time_emb.device.type == "cpu" else (131_072, 43_690)

    def _entry(self, frames: int, dtype: torch.dtype) -> "_Entry":
        first, second = self.corr_mlp.fc1, self.corr_mlp.fc2
        last = self.updateformer.input_transform
        # Ours lie row by row, official patches column by column.
        by_rows = first.weight.unflatten(1, (_SIDE,) * 4).permute(0, 2, 1, 4, 3).flatten(1)
        logits, seen, motion = last.weight.split([2, 256 * _LEVELS, _TOKEN - 2 - 256 * _LEVELS], 1)
        table = self.time_emb
        if frames != _CLOCK:
            table = functional.interpolate(table.transpose(1, 2), size=frames, mode="linear")
            table = table.transpose(1, 2)
        with torch.autocast(table.device.type, enabled=False):
            return _Entry(
                by_rows.to(dtype),
                first.bias.to(dtype),
                (seen.unflatten(1, (_LEVELS, -1)) @ second.weight).flatten(1).to(dtype),
                torch.cat([logits, motion], 1),
                last(table[0]) + seen @ second.bias.repeat(_LEVELS),
            )

    def _tokens(
        self,
        x: Tensor,
        pyramid: Pyramid,
        looks: Tensor,
        state: State,
        entry: "_Entry",
        room: "_Room",
    ) -> None:
        """Fill x (N, T, D) with what is believed and seen."""
        size = len(room.volume) // x.shape[1]
        for start in range(0, len(x), size):
            tracks = slice(start, start + size)
            xy, visibility, confidence = (field[tracks] for field in state)
            told = [visibility[..., None], confidence[..., None], _waves(_motion(xy))]
            seen = self._seen(pyramid, looks[:, tracks], xy, entry, room)
            x[tracks] = functional.linear(torch.cat(told, -1), entry.believed) + entry.clock
            x[tracks] += functional.linear(seen, entry.seen)

    def _seen(
        self, pyramid: Pyramid, looks: Tensor, xy: Tensor, entry: "_Entry", room: "_Room"
    ) -> Tensor:
        """How the surroundings of xy (n, T, 2) compare with looks (S, n, K, C): (n, T, S * 384)."""
        count, frames = xy.shape[:2]
        time = torch.arange(frames, device=xy.device).repeat(count)
        room = room.first(len(time))
        for level in range(_LEVELS):
            place = xy.flatten(0, 1) / 2**level
            corners, offset = pyramid.patches(level, time, place, out=room.corners)
            look = looks[level].transpose(1, 2).contiguous()  # (n, C, K), 1.2 times as fast so
            product = room.product.view(count, -1, _SIDE**2)
            torch.bmm(corners.view(count, -1, _CHANNELS), look, out=product)
            blend(room.product, offset, room=room.between, out=room.volume[:, level])
        hidden = functional.linear(room.volume.flatten(2), entry.first, entry.bias)
        return functional.gelu(hidden).view(count, frames, -1)


class _Entry(NamedTuple):
    """Weights for making tokens, rearranged.

    Linear layers with nothing between are one, x W V = x (W V): the second one of the correlations
    and that of all tokens. And (x + e) W = x W + e W, where e W is the same for all tracks.
    """

    first: Tensor  # (384, K * K) of the correlations, by rows
    bias: Tensor  # (384,)
    seen: Tensor  # (D, S * 384) from what the first layer says at all levels
    believed: Tensor  # (D, 86) from logits and motion
    clock: Tensor  # (T, D) the time embedding, stretched to all frames, and all that is constant


class _Room(NamedTuple):
    """Memory for making M tokens, taken once: in fresh memory all of it takes 1.2 times as long."""

    corners: Tensor  # (M, 8, 8, C)
    product: Tensor  # (M, 8, 8, K)
    between: Tensor  # (M, 7, 8, K)
    volume: Tensor  # (M, S, 7, 7, K)

    @classmethod
    def of(cls, tokens: int, like: Tensor) -> "_Room":
        """With device and dtype like those of a tensor."""
        wide, patch = _SIDE + 1, _SIDE**2
        shapes = (
            (wide, wide, _CHANNELS),
            (wide, wide, patch),
            (_SIDE, wide, patch),
            (_LEVELS, _SIDE, _SIDE, patch),
        )
        return cls(*(like.new_empty(tokens, *shape) for shape in shapes))

    def first(self, tokens: int) -> "_Room":
        return _Room(*(part[:tokens] for part in self))


def _clock(frames: int, width: int) -> Tensor:
    """Sines, then cosines, of the frame's number at falling frequencies: (1, frames, width)."""
    frequency = 10_000.0 ** -(torch.arange(width // 2, dtype=torch.float64) / (width // 2))
    angle = torch.arange(frames, dtype=torch.float64)[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)[None].float()


def _motion(xy: Tensor) -> Tensor:
    """From xy (n, T, 2) in cells: the ways (n, T, 4) from the next place and from the last one."""
    step = xy.diff(dim=1) / xy.new_tensor(_LARGEST)
    onward = functional.pad(-step, (0, 0, 0, 1))
    return torch.cat([onward, functional.pad(step, (0, 0, 1, 0))], -1)


def _waves(motion: Tensor) -> Tensor:
    """Numbers (..., 4), then their sines and cosines at ten octaves: (..., 84)."""
    octaves = 2.0 ** torch.arange(_OCTAVES, device=motion.device)
    angle = (octaves[:, None] * motion[..., None, :]).flatten(-2)
    return torch.cat([motion, angle.sin(), angle.cos()], -1)
