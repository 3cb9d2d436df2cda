"""Convolution in time along the path of each pixel.

Y. Zhao, Y. Xiong and D. Lin, "Trajectory Convolution for Action Recognition" (NeurIPS 2018):

    y_t(p) = sum over tau of w_tau x_{t + tau}(p_{t + tau})

The path p is integrated from motion, frame by frame: forward for the frames to come, backward for
those before. What lies between pixels is read bilinearly. Where nothing moves this is the usual
convolution in time, so the layer has the parameters of `nn.Conv3d` with a kernel of (K, 1, 1).

Borders: frames before the first and after the last are zeros, as are pixels outside the picture;
within a pixel of its edge they fade. Motion outside is that of the nearest pixel, so that a path
may come back. An even kernel has one frame more of the future than of the past.

Shapes:  B clips   C, O channels   T frames   H, W pixels   K taps   M = B * T * H * W
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool3d, embedding_bag, linear, pad

from pointaction.layers.warp import displaced


class Reading(NamedTuple):
    """Where every pixel is in one other frame: between four pixels."""

    row: Tensor  # (M, 4) which they are, counted through all frames of all clips
    share: Tensor  # (M, 4) of each in the value read; 0 for those outside


class Paths(NamedTuple):
    """The paths of all pixels through the frames under the kernel."""

    readings: tuple[Reading | None, ...]  # one for each tap; None for the frame itself
    offsets: Tensor  # (B, T, H, W, 2 * (K - 1)) (x, y) from the pixel, in the order of the taps


class TrajectoryConv(nn.Module):
    """Weights (O, C, K, 1, 1) that are applied along paths, or straight on where there are none.

    told: the offsets of the path are features too, beside those that are read along it.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, told: bool = False, bias: bool = False
    ) -> None:
        super().__init__()
        like = nn.Conv3d(inputs, outputs, (kernel, 1, 1), bias=bias)
        self.weight, self.bias = like.weight, like.bias
        # (O, 2 * (K - 1)), 0 at first: fast clips would drown out what is seen.
        self.motion = nn.Parameter(torch.zeros(outputs, 2 * (kernel - 1))) if told else None

    def forward(self, x: Tensor, paths: Paths | None = None) -> Tensor:
        """Features (B, C, T, H, W) become (B, O, T, H, W)."""
        return trajectory_conv(x, self.weight, paths, bias=self.bias, motion=self.motion)


def reach(kernel: int) -> tuple[int, int]:
    """How many frames before and after its own a kernel sees."""
    return (kernel - 1) // 2, kernel // 2


def trajectory_conv(
    x: Tensor,
    weight: Tensor,
    paths: Paths | None,
    *,
    bias: Tensor | None = None,
    motion: Tensor | None = None,
) -> Tensor:
    """Convolve x (B, C, T, H, W) with weight (O, C, K, 1, 1) along paths: (B, O, T, H, W).

    `paths` are those that `trace` finds for K taps and maps of this size; None: nothing moves.
    `motion` (O, 2 * (K - 1)) are weights of the paths' offsets. Fast where x lies in memory
    channels last; the result does.
    """
    pixels = x.permute(0, 2, 3, 4, 1)  # (B, T, H, W, C)
    weights = weight.flatten(2).transpose(1, 2).flatten(1)  # (O, K * C)
    if paths is None:
        read = _straight(pixels, weight.shape[2])
    else:
        read = _along(pixels, paths)
        if motion is not None:
            read.append(paths.offsets.to(x.dtype))
            weights = torch.cat([weights, motion], 1)
    return linear(torch.cat(read, -1), weights, bias).permute(0, 4, 1, 2, 3)


def _straight(pixels: Tensor, kernel: int) -> list[Tensor]:
    """The same pixels (B, T, H, W, C) in the frame of each tap."""
    frames = pixels.shape[1]
    padded = pad(pixels, (0, 0, 0, 0, 0, 0, *reach(kernel)))
    return [padded[:, tap : tap + frames] for tap in range(kernel)]


def _along(pixels: Tensor, paths: Paths) -> list[Tensor]:
    """Where the path of each pixel is in the frame of each tap, (B, T, H, W, C)."""
    rows = pixels.flatten(0, 3)
    return [
        pixels if reading is None else _read(rows, reading).view(pixels.shape)
        for reading in paths.readings
    ]


def _read(rows: Tensor, reading: Reading) -> Tensor:
    """(M, C): a pixel's value is a bag of four others', each with its share."""
    share = reading.share.to(rows.dtype)
    return embedding_bag(reading.row, rows, per_sample_weights=share, mode="sum")


def trace(motion: Tensor, kernel: int) -> Paths:
    """The paths under a kernel, from motion (B, 4, T, H, W) in pixels of these maps.

    Channels: (x, y) to the next frame, then (x, y) to the one before. Positions are kept in
    float32 at least, since bfloat16 cannot tell neighbouring pixels apart.
    """
    motion = motion.to(torch.promote_types(motion.dtype, torch.float32))
    past, future = reach(kernel)
    ahead = _walk(motion[:, :2], future)
    # What lies in the past is the future of the clip played backwards.
    behind = [offset.flip(2) for offset in _walk(motion[:, 2:].flip(2), past)]
    before = [_reading(behind[steps - 1], -steps) for steps in range(past, 0, -1)]
    after = [_reading(ahead[steps - 1], steps) for steps in range(1, future + 1)]
    offsets = torch.cat([motion[:, :0], *behind[::-1], *ahead], 1)
    return Paths(
        readings=(*before, None, *after),
        offsets=offsets.permute(0, 2, 3, 4, 1).contiguous(),
    )


def _walk(step: Tensor, count: int) -> list[Tensor]:
    """Where step (B, 2, T, H, W) leads from each pixel in 1, 2, ... `count` frames."""
    way = [step]
    for frames in range(1, count):
        later = pad(step, (0, 0, 0, 0, 0, frames))[:, :, frames:]  # 0 after the last frame
        maps, offset = (each.transpose(1, 2).flatten(0, 1) for each in (later, way[-1]))
        further = displaced(maps, offset).unflatten(0, (len(step), -1)).transpose(1, 2)
        way.append(way[-1] + further)
    return way[:count]


def _reading(offset: Tensor, tap: int) -> Reading:
    """How to read what is `offset` (B, 2, T, H, W) away, `tap` frames later."""
    clips, _, frames, height, width = offset.shape
    device = offset.device
    x = torch.arange(width, device=device) + offset[:, 0]  # (B, T, H, W)
    y = torch.arange(height, device=device)[:, None] + offset[:, 1]
    frame = torch.arange(frames, device=device) + tap
    exists = ((frame >= 0) & (frame < frames)).view(-1, 1, 1)
    first = torch.arange(clips, device=device)[:, None] * frames + frame.clamp(0, frames - 1)
    first = first.view(clips, frames, 1, 1) * height
    # The corners one by one: an axis of four would be the innermost of every loop.
    rows, shares = [], []
    for line, down in _two_nearest(y, height):
        line, down = (first + line) * width, down * exists
        for column, across in _two_nearest(x, width):
            rows.append(line + column)
            shares.append(down * across)
    row, share = torch.stack(rows, -1), torch.stack(shares, -1)
    return Reading(row=row.view(-1, 4), share=share.view(-1, 4))


def _two_nearest(place: Tensor, length: int) -> list[tuple[Tensor, Tensor]]:
    """The pixels below and above `place` on an axis, and the share of each; 0 outside."""
    place = place.clamp(-1, length)  # farther out there is nothing either
    below = place.detach().floor()
    above = place - below
    return [
        (pixel.long().clamp(0, length - 1), share * ((pixel >= 0) & (pixel < length)))
        for pixel, share in ((below, 1 - above), (below + 1, above))
    ]


def motion_at(motion: Tensor, size: tuple[int, int], *, of: tuple[int, int]) -> Tensor:
    """Motion (B, 4, T, ., .) for maps of another size (H, W): the mean over each of their pixels.

    Its values are in pixels of a picture of the size `of`; those of the result in pixels of maps.
    """
    scale = motion.new_tensor([size[1] / of[1], size[0] / of[0]]).repeat(2)
    pooled = adaptive_avg_pool3d(motion, (motion.shape[2], *size))
    return pooled * scale.view(1, 4, 1, 1, 1)
