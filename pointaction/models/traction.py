"""TrAction: a transformer over point tracks, one token per track.

"TrAction: Action Recognition with Sparse Trajectories", section 3 and appendix D. The paper
leaves open how far the frequency bands reach: ours go from one period over twice the frame's
longer side to one over a thirty-second of it (docs/decisions/0002-frequency-bands.md). What is not
in the paper is `RelativeMotion`, from which our small model learns several times as fast as from
positions (docs/decisions/0010-relative-motion.md).

Shapes:  B clips   N tracks   T frames   D width   H heads   R registers   L = 1 + R + N tokens
         C classes
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

_STILL = 5e-4  # of the longer side per frame: what trembles less does not move
_PICTURE, _DEPTH = 10.0, 4.0  # bring ways of the picture and changes of depth to about 1


@dataclass(frozen=True, kw_only=True)
class TrActionConfig:
    frames: int = 32
    positions: bool = True  # a token tells where its track is, frame by frame, as in the paper
    motion: bool = False  # a token tells how its track moves against the rest of the picture
    bands: int = 16  # of positions; each gives a sine and a cosine: 32 values per scalar. 0: plain
    place: bool = True  # a token also tells where its track began
    width: int = 288
    layers: int = 6
    heads: int = 4
    registers: int = 4
    dropout: float = 0.1


class Encoded(NamedTuple):
    cls: Tensor  # (B, D) the clip
    tracks: Tensor  # (B, N, D) its tracks
    attention: Tensor  # (B, H, N) last layer, CLS to tracks; each row sums to 1


class Read(NamedTuple):
    cls: Tensor  # (B, D) the clip
    attention: Tensor  # (B, H, N) last layer, CLS to tracks; each row sums to 1


class Answer(NamedTuple):
    logits: Tensor  # (B, C)
    attention: Tensor  # (B, H, N) each row sums to 1
    embedded: Tensor  # (B, D) the clip as it is, see TrackEncoder.embed


class FrequencyBands(nn.Module):
    """Scalars (...) as sines and cosines (..., 2 * bands) of geometrically spaced frequencies."""

    frequency: Tensor
    phase: Tensor

    def __init__(self, bands: int, *, octaves: float = 5.0) -> None:
        super().__init__()
        frequency = torch.pi * 2.0 ** torch.linspace(0, octaves, bands)
        # A cosine is a sine a quarter period ahead: one call fills the whole row.
        phase = torch.tensor([0.0, torch.pi / 2]).repeat_interleave(bands)
        self.register_buffer("frequency", frequency.repeat(2), persistent=False)
        self.register_buffer("phase", phase, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.phase, x[..., None], self.frequency).sin()


class Motion(NamedTuple):
    """Motion against the picture as a whole, in units of the clip's own strength of motion."""

    tracks: Tensor  # (B, N, T, 4) displacement since the frame before, and the way so far
    picture: Tensor  # (B, 2 * T + 1) the way of the picture as a whole; log of the strength


def relative_motion(xy: Tensor, shown: Tensor) -> Motion:
    """Split the motion of xy (B, N, T, 2) into that of the picture and that within it.

    The picture moves as most points do: by the geometric median of their displacements, frame by
    frame (E. Weiszfeld, 1937; a few steps of it). What is left is divided by its own size, so that
    an action looks alike from near and from afar. A step counts where `shown` (B, N, T) at both
    of its ends.
    """
    step = torch.diff(xy, dim=2)
    both = (shown[:, :, 1:] & shown[:, :, :-1]).to(xy.dtype)[..., None]
    weight = both
    for _ in range(4):
        whole = (step * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1e-6)
        far = (step - whole).norm(dim=-1, keepdim=True)
        weight = both / (far + 1e-3)
    within = (step - whole) * both
    size = within.square().sum(-1).mean(-1).sqrt()  # (B, N)
    # The mean in which every track counts by its own size: background at rest adds nothing.
    strength = size.square().sum(1) / size.sum(1).clamp(min=1e-6)
    strength = strength.clamp(min=_STILL)[:, None]
    within = nn.functional.pad(within, (0, 0, 1, 0)) / strength[..., None, None]
    way = within.cumsum(2)
    way = (way - way.mean(2, keepdim=True)) / way.shape[2] ** 0.5
    picture = nn.functional.pad(whole[:, 0], (0, 0, 1, 0)).cumsum(1)
    picture = torch.cat([_PICTURE * picture.flatten(1), (strength / _STILL).log()], 1)
    return Motion(tracks=torch.cat([within, way], -1).clamp(-8, 8), picture=picture)


class TrackTokens(nn.Module):
    """Every track, all its frames at once, becomes one token (equation 1)."""

    def __init__(self, config: TrActionConfig) -> None:
        super().__init__()
        self.config = config
        if config.positions:
            self.encode: nn.Module = FrequencyBands(config.bands) if config.bands else nn.Identity()
            # x, y, z in bands or as they are, and whether it is visible
            channels = 3 * (2 * config.bands or 1) + 1
            self.mlp = _two_layers(config.frames * channels, config)
        if config.motion:
            self.motion_mlp = _two_layers(config.frames * 6, config)
            self.picture_mlp = _two_layers(config.frames * 2 + 1, config)
        if config.place:
            # The start point in three sinusoidal parts, x, y and z (appendix D: 3D encoding).
            self.place = FrequencyBands(config.width // 6)

    def forward(
        self, geometry: Tensor, visible: Tensor, present: Tensor | None
    ) -> tuple[Tensor, Tensor | float]:
        """Tokens (B, N, D) from geometry (B, N, T, 3) and visible (B, N, T).

        Beside them, what is to be added to the tokens that stand for the clip, (B, 1, D).
        """
        seen = visible[..., None].to(geometry.dtype)
        tokens = geometry.new_zeros(())
        if self.config.place:
            tokens = self.place(geometry[:, :, 0]).flatten(-2)
        clip: Tensor | float = 0.0
        if self.config.positions:
            bands = self.encode(geometry).flatten(3)  # (B, N, T, 3 * 2 * bands)
            tokens = tokens + self.mlp(torch.cat([bands, seen], -1).flatten(-2))
        if self.config.motion:
            shown = visible if present is None else visible & present[..., None]
            motion = relative_motion(geometry[..., :2], shown)
            depth = geometry[..., 2:] - geometry[..., 2:].mean(2, keepdim=True)
            told = torch.cat([motion.tracks, _DEPTH * depth, seen], -1)
            tokens = tokens + self.motion_mlp(told.flatten(-2))
            clip = self.picture_mlp(motion.picture)[:, None]
        return tokens, clip


def _two_layers(inputs: int, config: TrActionConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, config.width),
        nn.GELU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.width, config.width),
    )


class Block(nn.Module):
    """A transformer encoder layer, normalised before each part."""

    def __init__(self, config: TrActionConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(config.dropout)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(config.dropout),
        )

    def forward(self, x: Tensor, readable: Tensor | None) -> Tensor:
        """x (B, L, D); readable (B, 1, 1, L) is False for tokens that nobody may read."""
        return self.after(x, *self.split_heads(x), readable)

    def after(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, readable: Tensor | None) -> Tensor:
        """What tokens x (B, l, D) become that ask for q (B, H, l, E) among k and v of all L."""
        y = scaled_dot_product_attention(q, k, v, attn_mask=readable)
        x = x + self.dropout(self.out(y.transpose(1, 2).flatten(2)))
        return x + self.mlp(x)

    def split_heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qkv = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1))  # (B, L, 3, H, E)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return q, k, v  # each (B, H, L, E)


def first_reads(q: Tensor, k: Tensor, readable: Tensor | None, *, skip: int) -> Tensor:
    """What the first token reads, (B, H, L - skip), as shares of all but the `skip` first.

    q and k (B, H, L, E), as `Block.split_heads` gives them; readable as `Block` takes it.
    """
    scores = (q[:, :, :1] @ k[:, :, skip:].transpose(-2, -1))[:, :, 0] / q.shape[-1] ** 0.5
    if readable is not None:
        scores = scores.masked_fill(~readable[:, 0, :, skip:], -torch.inf)
    return scores.softmax(-1)


class TrackEncoder(nn.Module):
    middle: Tensor

    def __init__(self, config: TrActionConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = TrackTokens(config)
        self.first = nn.Parameter(torch.randn(1 + config.registers, config.width) * 0.02)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        # The mean of CLS over what it was trained on; all clips have that much in common.
        self.register_buffer("middle", torch.zeros(config.width))

    def embed(self, geometry: Tensor, visible: Tensor, present: Tensor | None = None) -> Tensor:
        """Clips as (B, D), alike where their motion is alike: what few-shot classifiers compare."""
        return self.read(geometry, visible, present).cls - self.middle

    def forward(self, geometry: Tensor, visible: Tensor, present: Tensor | None = None) -> Encoded:
        """Encode geometry (B, N, T, 3) with visible (B, N, T).

        present (B, N) is False for tracks that only fill up a batch of clips with unequal N;
        they change nothing and get no attention.
        """
        x, q, k, v, readable = self._up_to_last(geometry, visible, present)
        skip = len(self.first)
        attention = first_reads(q, k, readable, skip=skip)
        x = self.norm(self._last.after(x, q, k, v, readable))
        return Encoded(cls=x[:, 0], tracks=x[:, skip:], attention=attention)

    def read(self, geometry: Tensor, visible: Tensor, present: Tensor | None = None) -> Read:
        """As `forward`, without its tracks, so that of the last layer CLS alone is computed."""
        x, q, k, v, readable = self._up_to_last(geometry, visible, present)
        attention = first_reads(q, k, readable, skip=len(self.first))
        cls = self.norm(self._last.after(x[:, :1], q[:, :, :1], k, v, readable))
        return Read(cls=cls[:, 0], attention=attention)

    @property
    def _last(self) -> Block:
        last: Block = self.blocks[-1]  # type: ignore[assignment]
        return last

    def _up_to_last(
        self, geometry: Tensor, visible: Tensor, present: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """What goes into the last layer, (B, L, D), its q, k and v, and who may be read there."""
        tokens, clip = self.tokens(geometry, visible, present)
        first = self.first.expand(tokens.shape[0], -1, -1) + clip  # not `len`: an export fixes it
        x = torch.cat([first, tokens], 1)  # (B, L, D)
        readable = None
        if present is not None:
            always = present.new_ones(first.shape[:2])
            readable = torch.cat([always, present], 1)[:, None, None]
        for block in self.blocks[:-1]:
            x = block(x, readable)
        return x, *self._last.split_heads(x), readable


class TrAction(nn.Module):
    """The encoder and a linear head on its CLS token."""

    def __init__(self, encoder: TrackEncoder, *, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.width, classes)

    def forward(
        self, geometry: Tensor, visible: Tensor, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and attention (B, H, N), see `TrackEncoder.forward`."""
        read = self.encoder.read(geometry, visible, present)
        return self.head(read.cls), read.attention

    def answer(self, geometry: Tensor, visible: Tensor) -> Answer:
        """All that is told of clips: geometry (B, N, T, 3) with visible (B, N, T)."""
        cls, attention = self.encoder.read(geometry, visible)
        return Answer(self.head(cls), attention, cls - self.encoder.middle)


def traction(classes: int) -> TrAction:
    """The paper's size (table 6), 6 layers of width 288, and relative motion beside positions."""
    return TrAction(TrackEncoder(TrActionConfig(motion=True)), classes=classes)


def traction_tiny(classes: int) -> TrAction:
    """1.5 M parameters, from relative motion alone: trains on two CPU cores in an hour or two.

    No dropout: it never sees a procedural clip twice.
    """
    config = TrActionConfig(width=168, layers=4, dropout=0.0, positions=False, motion=True)
    return TrAction(TrackEncoder(config), classes=classes)
