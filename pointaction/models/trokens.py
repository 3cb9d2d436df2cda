"""Trokens: points on what a clip shows, each told what it looks like and how it moves.

P. Kumar et al., "Trokens: Semantic-Aware Relational Trajectory Tokens for Few-Shot Action
Recognition" (ICCV 2025). A token is one track in one frame: the sum of the patch feature under it,
its histogram of oriented displacements and its displacements to the other tracks. Attention goes
along each track and across each frame; a learned token reads the clip from what comes out.

Parameters that the paper shares with the released code have its names and shapes. `as_released`
computes as that code does, so that its checkpoints load: other shares in the histogram, tracks told
apart by the place where they are stored, patches not interpolated, and the class token within the
blocks (docs/decisions/0020-trokens.md).

Shapes:  B clips   N tracks   T frames   D width   H heads   A anchors   g * g patches of C values
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    cross_entropy,
    grid_sample,
    normalize,
    relu,
    scaled_dot_product_attention,
)

from pointaction.errors import InputError
from pointaction.fewshot.sets import mean_hausdorff
from pointaction.models.dinov2 import MLP
from pointaction.models.traction import relative_motion
from pointaction.tokens.hod import oriented_displacements
from pointaction.tokens.relative import farthest_tracks, in_order, relative_displacements

_SHARPNESS = 8.0


@dataclass(frozen=True, kw_only=True)
class TrokensConfig:
    frames: int = 8  # that it looks at
    pooled: int = 1  # how many of them in a row make one of the T: their displacements add up
    points: int = 256  # N, where `anchors` is None
    anchors: int | None = None  # tracks that others are told their displacement to; None: all
    appearance: int | None = 768  # C, the width of patch features; None: motion only
    grid: int = 16  # g
    hod: bool = True
    within_picture: bool = False  # tokens are told `relative_motion`, and its histogram
    relative: bool = True
    bins: int = 32
    width: int = 768
    heads: int = 8
    layers: int = 1
    classes: int = 64
    quiet: float = 1e-6  # variance well below which a norm leaves a token as small as it is
    as_released: bool = False


class Encoded(NamedTuple):
    cls: Tensor  # (B, D) the clip
    points: Tensor  # (B, N, T, D) its tracks, frame by frame
    readable: Tensor  # (B, N, T) which of them count
    logits: Tensor  # (B, classes) of the classes it was trained on
    attention: Tensor | None  # (B, H, N) CLS to tracks; each row sums to 1. None as released


class TwoLayers(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(inputs, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.c_fc(x)
        return self.c_proj(x * (1.702 * x).sigmoid())


class MotionModule(nn.Module):
    """A motion descriptor (..., inputs) becomes a token (..., D).

    What is well below `eps` in variance stays small, instead of being made as loud as all else.
    """

    def __init__(self, inputs: int, width: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.fc2 = TwoLayers(inputs, width)
        self.ln2 = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return self.ln2(self.fc2(x))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, readable: Tensor) -> Tensor:
        """x (..., L, D); readable (..., 1 or L, L) says which tokens a token may read."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1)).movedim(-3, 0)
        q, k, v = qkv.transpose(-3, -2)  # each (..., H, L, E)
        y = scaled_dot_product_attention(q, k, v, attn_mask=readable[..., None, :, :])
        return self.proj(y.transpose(-3, -2).flatten(-2))


class Block(nn.Module):
    """Attention along each track and across each frame, summed."""

    def __init__(self, config: TrokensConfig) -> None:
        super().__init__()
        width = config.width
        self.temporal_norm1 = nn.LayerNorm(width, eps=config.quiet)
        self.temporal_attn = Attention(width, config.heads)
        self.norm1 = nn.LayerNorm(width, eps=config.quiet)
        self.attn = Attention(width, config.heads)
        self.norm2 = nn.LayerNorm(width, eps=config.quiet)
        self.mlp = nn.Sequential(MLP(width))

    def forward(self, x: Tensor, readable: Tensor) -> Tensor:
        """x (B, N, T, D), readable (B, N, T)."""
        along = self.temporal_attn(self.temporal_norm1(x), _and_itself(readable))
        frames, shown = x.transpose(1, 2), readable.transpose(1, 2)
        across = self.attn(self.norm1(frames), _and_itself(shown))
        x = x + along + across.transpose(1, 2)
        return x + self.mlp(self.norm2(x))


class ReleasedBlock(Block):
    """Along each track, then across each frame together with the clip's one class token."""

    def __init__(self, config: TrokensConfig) -> None:
        super().__init__(config)
        self.temporal_fc = nn.Linear(config.width, config.width)

    def forward_with(self, cls: Tensor, x: Tensor, readable: Tensor) -> tuple[Tensor, Tensor]:
        """cls (B, D), x (B, N, T, D), readable (B, N, T)."""
        along = self.temporal_attn(self.temporal_norm1(x), readable[..., None, :])
        x = x + self.temporal_fc(along)
        # Each frame has its own copy of the class token; what the copies became is averaged.
        frames = x.shape[2]
        copies = cls[:, None, None].expand(-1, frames, -1, -1)
        together = torch.cat([copies, x.transpose(1, 2)], 2)  # (B, T, 1 + N, D)
        shown = readable.transpose(1, 2)
        shown = torch.cat([torch.ones_like(shown[..., :1]), shown], -1)
        across = self.attn(self.norm1(together), shown[..., None, :])
        cls = cls + across[:, :, 0].mean(1)
        x = x + across[:, :, 1:].transpose(1, 2)
        return cls + self.mlp(self.norm2(cls)), x + self.mlp(self.norm2(x))


class ReadOut(nn.Module):
    """The class token reads the clip, by cross-attention."""

    def __init__(self, config: TrokensConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.q = nn.Linear(config.width, config.width)
        self.kv = nn.Linear(config.width, 2 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, cls: Tensor, x: Tensor, readable: Tensor) -> tuple[Tensor, Tensor]:
        """cls (1, 1, D) and x (B, N, T, D) give the clip (B, D) and what it read, (B, H, N)."""
        tokens, shown = x.flatten(1, 2), readable.flatten(1)
        shown = shown | ~shown.any(1, keepdim=True)  # where nothing is to be seen, all counts
        q = self.q(cls).unflatten(-1, (self.heads, -1))  # (1, 1, H, E)
        k, v = self.kv(tokens).unflatten(-1, (2, self.heads, -1)).unbind(2)  # (B, N * T, H, E)
        scores = (k * q).sum(-1) / k.shape[-1] ** 0.5  # (B, N * T, H)
        shares = scores.masked_fill(~shown[..., None], -torch.inf).softmax(1)
        read = (shares[..., None] * v).sum(1).flatten(1)
        by_track = shares.unflatten(1, readable.shape[1:]).sum(2).transpose(1, 2)
        return cls[0] + self.proj(read), by_track


class PreLogits(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x).tanh()


class Trokens(nn.Module):
    def __init__(self, config: TrokensConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.space_pos_embed = nn.Parameter(torch.zeros(1, config.grid**2, width))
        self.time_pos_embed = nn.Parameter(torch.zeros(1, config.frames // config.pooled, width))
        seen = config.appearance or width
        self.appearance = nn.Identity() if seen == width else nn.Linear(seen, width)
        if config.hod:
            told = config.bins + 4 * config.within_picture
            self.hod_motion_module = MotionModule(told, width, eps=max(1e-5, config.quiet))
        if config.relative:
            self.cross_motion_module = MotionModule(2 * (config.anchors or config.points), width)
        block = ReleasedBlock if config.as_released else Block
        self.blocks = nn.ModuleList(block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width, eps=config.quiet)
        if config.as_released:  # in its checkpoints, but not in its sums
            self.spatial_pos_embed = nn.Parameter(torch.zeros(1, width, config.grid, config.grid))
        else:
            self.read_out = ReadOut(config)
        self.pre_logits = PreLogits(width)
        self.head = nn.Linear(width, config.classes)
        self.apply(_start)
        for table in (self.cls_token, self.space_pos_embed, self.time_pos_embed):
            nn.init.trunc_normal_(table, std=0.02)
        if config.relative and not config.as_released:
            # Where things lie differs from clip to clip: it counts once something is made of it.
            nn.init.zeros_(self.cross_motion_module.ln2.weight)

    def forward(
        self,
        xy: Tensor,
        visible: Tensor,
        features: Tensor | None = None,
        *,
        extent: Tensor | None = None,
        readable: Tensor | None = None,
    ) -> Encoded:
        """Encode tracks xy (B, N, T, 2) with visible (B, N, T).

        xy goes from -1 to 1 over a square on the frame's longer side, from the frame's top left
        corner. extent (B, 2) is the frame's width and height as shares of that square; without it
        the frame is the square, as always in the released code. features (B, T, g, g, C) are the
        patches of the whole frame, row by row. readable (B, N, T) says which tokens count: by
        default those that are visible. Where frames are pooled, there are `pooled` times T of xy
        and visible.
        """
        self._check(xy, features)
        readable = self._pool(visible).any(3) if readable is None else readable
        x = self.tokens(xy, visible, features, extent)
        if self.config.as_released:
            cls = self.cls_token[:, 0].expand(len(x), -1)
            for each in self.blocks:
                assert isinstance(each, ReleasedBlock)
                cls, x = each.forward_with(cls, x, readable)
            cls, points, attention = self.norm(cls), self.norm(x), None
        else:
            for each in self.blocks:
                x = each(x, readable)
            points = self.norm(x)
            cls, attention = self.read_out(self.cls_token, points, readable)
        return Encoded(cls, points, readable, self.head(self.pre_logits(cls)), attention)

    def tokens(
        self, xy: Tensor, visible: Tensor, features: Tensor | None, extent: Tensor | None
    ) -> Tensor:
        """The sum of streams, (B, N, T, D)."""
        config = self.config
        rows = self.displacements(xy, visible) if config.hod else None
        xy, visible = self._pool(xy).mean(3), self._pool(visible).any(3)
        place = xy if extent is None else (xy + 1) / extent[:, None, None] - 1
        tokens = self.sample(features, place)
        if rows is not None:
            tokens = tokens + self.hod_motion_module(rows)
        if config.relative:
            if config.as_released:
                anchors = in_order(xy)
            else:
                anchors = farthest_tracks(xy, config.anchors or config.points, visible.any(-1))
            told = relative_displacements(xy, visible, anchors)
            tokens = tokens + self.cross_motion_module(told)
        return tokens

    def displacements(self, xy: Tensor, visible: Tensor) -> Tensor:
        """What each token is told of its own track's motion, (B, N, T, K).

        Within the picture, also the step and the way of `relative_motion`, the last 4 of K.
        """
        config = self.config
        if not config.within_picture:
            rows = oriented_displacements(xy, bins=config.bins, as_released=config.as_released)
            return self._pool(rows).sum(3)
        motion = relative_motion((xy + 1) / 2, visible).tracks
        rows = oriented_displacements(motion[..., :2].cumsum(2), bins=config.bins)
        return torch.cat([self._pool(rows).sum(3), self._pool(motion).mean(3)], -1)

    def _pool(self, frames: Tensor) -> Tensor:
        """Frames (B, N, pooled * T, ...) by the token they belong to: (B, N, T, pooled, ...)."""
        return frames.unflatten(2, (-1, self.config.pooled))

    def sample(self, features: Tensor | None, place: Tensor) -> Tensor:
        """Patch features and learned positions under each point: (B, N, T, D).

        place (B, N, T, 2) goes from -1 to 1 over the frame.
        """
        grid = (self.config.grid, self.config.grid)
        space = self.space_pos_embed.unflatten(1, grid).permute(0, 3, 1, 2)  # (1, D, g, g)
        time = self.time_pos_embed
        if features is None:
            found = self._under(space, place.reshape(1, -1, 2))[0]  # (D, B * N * T)
            return found.T.unflatten(0, place.shape[:3]) + time
        told = self.appearance(features) + time[0, :, None, None]  # (B, T, g, g, D)
        maps = told.flatten(0, 1).permute(0, 3, 1, 2) + space
        found = self._under(maps, place.transpose(1, 2).flatten(0, 1))  # (B * T, D, N)
        return found.unflatten(0, (len(place), -1)).permute(0, 3, 1, 2)

    def _under(self, maps: Tensor, points: Tensor) -> Tensor:
        """What lies under points (m, P, 2) of maps (m, D, g, g): (m, D, P)."""
        points = points[:, :, None]
        if self.config.as_released:
            return grid_sample(maps, points, mode="nearest", align_corners=True)[..., 0]
        return grid_sample(maps, points, padding_mode="border", align_corners=False)[..., 0]

    def _check(self, xy: Tensor, features: Tensor | None) -> None:
        config = self.config
        if xy.shape[2] != config.frames:
            raise InputError(f"this model looks at {config.frames} frames, got {xy.shape[2]}")
        if config.relative and config.anchors is None and xy.shape[1] != config.points:
            raise InputError(
                f"this model compares {config.points} tracks with each other, got {xy.shape[1]}; "
                "one with anchors takes any number"
            )
        if (features is None) != (config.appearance is None):
            wanted = "patch features" if config.appearance else "tracks alone"
            raise InputError(f"this model was made for {wanted}")


def _and_itself(readable: Tensor) -> Tensor:
    """Which of L tokens each may read, (..., L, L): readable (..., L) ones, and always itself."""
    itself = torch.eye(readable.shape[-1], dtype=torch.bool, device=readable.device)
    return readable[..., None, :] | itself


def _start(module: nn.Module) -> None:
    """Without a bias, small displacements count from the beginning: their module's norm sees to it.

    The released code starts every linear layer at 0.02, which fits its own width only.
    """
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


def on_clock(geometry: Tensor, visible: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """xy (B, N, F, 2) and visibility as `Trokens` takes them, at `frames` of the T frames.

    geometry (B, N, T, 3) and visible (B, N, T) as TrAction takes them: from the frame's corner in
    units of its longer side.
    """
    when = torch.linspace(0, geometry.shape[2] - 1, frames, device=geometry.device).round().long()
    return 2 * geometry[:, :, when, :2] - 1, visible[:, :, when]


def frame_vectors(encoded: Encoded) -> Tensor:
    """One vector per frame, (B, T, D): the mean over the points that count, of what is positive."""
    weight = encoded.readable[..., None].to(encoded.points.dtype)
    return (relu(encoded.points) * weight).sum(1) / weight.sum(1).clamp(min=1)


def episode_logits(support: Tensor, labels: Tensor, query: Tensor) -> Tensor:
    """(Q, ways) for frame vectors query (Q, T, D) and support (n, T, D) with labels (n,).

    A class is the mean of its examples, frame by frame; the score is minus the bi-directional mean
    Hausdorff distance, in cosine distances, times 8: sharper, a network that has learned nothing
    is more wrong than one that guesses, and can gain by making all alike. Labels are 0 to
    ways - 1.
    """
    classes = [support[labels == way].mean(0) for way in range(int(labels.max()) + 1)]
    prototypes = normalize(torch.stack(classes), dim=-1)  # (ways, T, D)
    similar = torch.einsum("qtd,wsd->qwts", normalize(query, dim=-1), prototypes)
    return -_SHARPNESS * mean_hausdorff(1 - similar)


def released_episode_logits(support: Tensor, labels: Tensor, query: Tensor) -> Tensor:
    """As `episode_logits`, of points (Q, N, T, D) and (n, N, T, D), as the released code does it.

    It takes means of what is stored at the same place, though two clips' points have nothing in
    common; adds the distances of frames without dividing by their number; and makes cosines smaller
    by adding 0.01 to the product of lengths.
    """
    classes = [support[labels == way].mean(0) for way in range(int(labels.max()) + 1)]
    known, asked = (relu(each).mean(1) for each in (torch.stack(classes), query))  # (..., T, D)
    lengths = torch.einsum("qt,ws->qwts", asked.norm(dim=-1), known.norm(dim=-1))
    distances = 1 - torch.einsum("qtd,wsd->qwts", asked, known) / (lengths + 0.01)
    return -mean_hausdorff(distances) * query.shape[2]


def episode_loss(
    base_logits: Tensor, base_labels: Tensor, query_logits: Tensor, query_labels: Tensor
) -> Tensor:
    """Cross entropy on the classes of training, labels smoothed by 0.1, plus that of the episode.

    The first is over all clips of an episode (n + Q, classes), the second, which the paper calls
    contrastive, over its queries (Q, ways).
    """
    smoothed = cross_entropy(base_logits, base_labels, label_smoothing=0.1)
    return smoothed + cross_entropy(query_logits, query_labels)


def trokens(classes: int) -> Trokens:
    """The paper's size, on features of DINOv2 base."""
    return Trokens(TrokensConfig(classes=classes))


def trokens_tiny(classes: int) -> Trokens:
    """From motion alone, at a cost that is linear in the tracks, and small enough for a CPU."""
    return Trokens(
        TrokensConfig(
            frames=32,
            pooled=4,
            appearance=None,
            anchors=16,
            within_picture=True,
            quiet=1.0,
            width=64,
            heads=4,
            classes=classes,
        )
    )
