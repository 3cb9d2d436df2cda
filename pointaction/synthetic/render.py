"""Scenes become textured frames, so that the whole path from pixels can be tried and measured.

Shapes:  L layers   T frames   H, W pixels
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import grid_sample, interpolate

from pointaction.synthetic.scenes import LAYERS, Scenes, look

_TEXELS = 128  # side of a texture
_SPAN = (0.12, 1.5)  # repeats per world unit: of the far background, of the near bodies


def render(scenes: Scenes, row: int, *, side: int, generator: Generator) -> NDArray[np.uint8]:
    """Frames (T, H, W, 3) RGB of scene number `row`; the longer side has `side` pixels.

    Pixel (i, j) is what the exact tracks call ((j + 0.5), (i + 0.5)) / side from the corner.
    """
    one = scenes.only(row)
    width, height = (int(round(float(part) * side / 2)) * 2 for part in one.extent[0])
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = (torch.stack([x, y], -1).flatten(0, 1) + 0.5)[None] / side  # (1, P, 2)
    textures = _textures(generator)
    light = 0.85 + 0.3 * torch.rand(1, generator=generator)
    frames = []
    for time in range(scenes.frames):
        hits = look(one, pixels, time)
        colour = _look_up(textures, hits.layer[0], hits.uv[0]) * light
        grain = torch.randn(colour.shape, generator=generator) * 0.012
        frames.append((colour + grain).clamp(0, 1).mul(255).round().byte().view(height, width, 3))
    return torch.stack(frames).numpy()


def _textures(generator: Generator) -> Tensor:
    """(L, 3, S, S): a base colour and three octaves of noise each, bodies apart from the wall."""
    base = torch.rand(LAYERS, 3, 1, 1, generator=generator) * 0.6 + 0.2
    texture = base.expand(-1, -1, _TEXELS, _TEXELS)
    for cells, strength in ((8, 0.22), (24, 0.2), (64, 0.14)):
        noise = torch.rand(LAYERS, 3, cells, cells, generator=generator) - 0.5
        shade = noise.mean(1, keepdim=True) * 1.6 + noise * 0.5  # mostly light and dark
        smooth = interpolate(shade, size=(_TEXELS, _TEXELS), mode="bicubic", align_corners=True)
        texture = texture + smooth * strength * 2
    return texture.clamp(0, 1)


def _look_up(textures: Tensor, layer: Tensor, uv: Tensor) -> Tensor:
    """Colours (P, 3) at uv (P, 2) of each point's layer (P,); textures repeat mirrored."""
    colour = uv.new_zeros(len(uv), 3)
    for number, texture in enumerate(textures):
        chosen = layer == number
        grid = uv[chosen] * _SPAN[min(number, 1)]
        picked = grid_sample(
            texture[None], grid[None, None], padding_mode="reflection", align_corners=True
        )
        colour[chosen] = picked[0, :, 0].T
    return colour
