"""Scenes become frames, so that the whole path from pixels can be tried and measured.

Every surface is made of a material: a colour, some unevenness, perhaps blocks with straight edges.
Some are nearly plain and some are busy, as walls, skin, cloth and shelves are. Light falls from
one side, so that what turns changes its shade.

Shapes:  L layers (the room, then P parts)   M materials   T frames   H, W pixels
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import interpolate, pad

from pointaction.synthetic.raster import Raster, rasterise, size
from pointaction.synthetic.scenes import PARTS, Scenes

Floats = NDArray[np.float32]

_TEXELS = 256  # side of a material's tile, which repeats
_TEXEL = 0.005, 0.012  # of a part and of the room, in world units
_SKIN, _SHIRT, _TROUSERS, _SHOES = range(4)
_PASSER_BY = 4  # the first of a passer-by's: skin, shirt, trousers
_THINGS = 7  # the first of nine: two things, seven solids
_ROOM = 16  # walls, ceiling, floor
_MATERIALS = 19
_GRAIN = 0.012  # standard deviation; white is 1
_FLICKER = 0.01  # of the exposure, likewise


def render(
    scenes: Scenes,
    row: int,
    *,
    side: int,
    generator: Generator,
    kept: Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """Frames (T, H, W, 3) RGB of scene number `row`; the longer side has `side` pixels.

    With `kept`, only the frames of these numbers are drawn, as they would be among all. Pixel
    (i, j) is what the exact tracks call ((j + 0.5), (i + 0.5)) / side from the corner. Surfaces
    follow from `scenes.looks`; `generator` gives the camera's grain and flicker.
    """
    one = scenes.only(row)
    surfaces = _Surfaces.of(one)
    height, width = size(one, side=side)
    exposure = 1 + _FLICKER * torch.randn(one.frames, generator=generator)
    grain = _GRAIN * 255 * torch.randn(height + 64, width + 64, 3, generator=generator)
    shift = torch.randint(64, (one.frames, 2), generator=generator)
    drawn = range(one.frames) if kept is None else kept
    frames = np.empty((len(drawn), height, width, 3), np.uint8)
    rasters = rasterise(one, 0, side=side, kept=drawn)
    for frame, time, raster in zip(frames, drawn, rasters, strict=True):
        colour = surfaces.colour(raster, time)
        colour *= surfaces.shade(raster, time)[..., None] * np.float32(exposure[time])
        down, across = shift[time].tolist()
        colour += grain.numpy()[down : down + height, across : across + width]
        frame[:] = np.clip(colour, 0, 255, out=colour)
    return frames


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paint:
    """What follows from the seed of looks alone, whatever is on the stage."""

    sleeves: int  # material
    legs: int  # material
    light: Tensor  # (3,) direction towards the light in the world
    atlas: NDArray[np.uint8]  # (M * (S + 1), S + 1, 3): tiles below each other, 0 to 255
    start: Floats  # (L, 6, 2) where in its tile a face begins
    ambient: float


# Of 4 MB each: performances of an identity share what costs more than a frame.
@lru_cache(maxsize=8)
def _paint(looks: int) -> _Paint:
    generator = Generator().manual_seed(looks)
    sleeves = _SHIRT if torch.rand(1, generator=generator) < 0.5 else _SKIN
    legs = _TROUSERS if torch.rand(1, generator=generator) < 0.8 else _SKIN
    light = torch.tensor([0.0, -0.6, -0.5]) + torch.rand(3, generator=generator) - 0.5
    return _Paint(
        sleeves=sleeves,
        legs=legs,
        light=light / light.norm(),
        atlas=_atlas(generator),
        start=(torch.rand(1 + PARTS, 6, 2, generator=generator) * _TEXELS).numpy(),
        ambient=float(0.5 + 0.25 * torch.rand(1, generator=generator)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surfaces:
    """What the layers of one scene are made of, and how the light falls on them."""

    paint: _Paint
    material: NDArray[np.intp]  # (L, 6) of each face
    texels: Floats  # (L, 3) per unit of `Raster.place`
    flat: NDArray[np.bool_]  # (L,) the light is the same all over a face
    bulge: Floats  # (L, T, 3) one over the half extents: from places to the normal's direction
    light: Floats  # (L, T, 3) direction towards the light in the layer's own axes

    @classmethod
    def of(cls, scenes: Scenes) -> "_Surfaces":
        """Of a batch of one."""
        paint = _paint(int(scenes.looks[0]))
        half = scenes.half[0]  # (P, T, 3)
        own = (scenes.turn[0].transpose(-1, -2) @ paint.light[:, None])[..., 0]  # (P, T, 3)
        # The walls are seen from within: their normals point the other way.
        lights = torch.cat([-paint.light.expand(1, scenes.frames, 3), own])
        return cls(
            paint=paint,
            material=_materials_of(scenes, paint).numpy(),
            texels=torch.cat([torch.ones(1, 3) / _TEXEL[1], half[:, 0] / _TEXEL[0]]).numpy(),
            flat=torch.cat([torch.ones(1, dtype=torch.bool), scenes.box[0]]).numpy(),
            bulge=torch.cat([torch.ones(1, scenes.frames, 3), 1 / half]).numpy(),
            light=lights.numpy(),
        )

    def colour(self, raster: Raster, time: int) -> Floats:
        """(H, W, 3), 0 to 255: each face shows its tile along its other two axes."""
        import cv2

        face = raster.layer * 6 + raster.face
        axis = raster.face >> 1
        x, y, z = (
            place * self.texels[:, number].take(raster.layer)
            for number, place in enumerate(raster.place)
        )
        first = np.where(axis == 0, z, x) + self.paint.start[..., 0].take(face)
        second = np.where(axis == 1, z, y) + self.paint.start[..., 1].take(face)
        first -= np.floor(first / _TEXELS) * _TEXELS
        second -= np.floor(second / _TEXELS) * _TEXELS
        second += (self.material * (_TEXELS + 1)).astype(np.float32).take(face)
        picked = cv2.remap(self.paint.atlas, first, second, cv2.INTER_LINEAR)
        return picked.astype(np.float32)

    def shade(self, raster: Raster, time: int) -> Floats:
        """(H, W) from the ambient light to 1: full where the light falls square."""
        light = self.light[:, time]  # (L, 3)
        on_faces = np.stack([-light, light], -1).reshape(-1, 6)  # (L, 6)
        toward = on_faces.take(raster.layer * 6 + raster.face)
        where = np.flatnonzero(~self.flat.take(raster.layer))
        layer = raster.layer.ravel()[where]
        dot, square = np.zeros((2, len(where)), np.float32)
        for axis, place in enumerate(raster.place):
            normal = place.ravel()[where] * self.bulge[:, time, axis].take(layer)
            dot += normal * light[:, axis].take(layer)
            square += normal * normal
        toward.ravel()[where] = dot / np.sqrt(square + np.float32(1e-12))
        ambient = self.paint.ambient
        diffuse = (1 - ambient) / 2
        return np.float32(ambient + diffuse) + np.float32(diffuse) * toward


def _materials_of(scenes: Scenes, paint: _Paint) -> Tensor:
    """(L, 6) the material of every layer's faces; limbs of one body share skin and cloth."""
    sleeves, legs = paint.sleeves, paint.legs
    # A figure leaves the last of the actor's sixteen parts unused, two hands leave none.
    if scenes.present[0, 14] and not scenes.present[0, 15]:
        limbs = [_SHIRT, sleeves, _SKIN, _TROUSERS, legs, _SHOES]
        actor = [_SHIRT, _TROUSERS, _SKIN, *limbs, *limbs, _SHOES]
    else:
        actor = [_SHIRT, sleeves, *[_SKIN] * 6] * 2
    skin, shirt, trousers = range(_PASSER_BY, _PASSER_BY + 3)
    passer_by = [shirt, skin, shirt, shirt, trousers, trousers]
    others = list(range(_THINGS, _ROOM))
    parts = torch.tensor(actor + passer_by + others)[:, None].expand(-1, 6)
    wall, ceiling, floor = range(_ROOM, _MATERIALS)
    return torch.cat([torch.tensor([[wall, wall, ceiling, floor, wall, wall]]), parts])


def _atlas(generator: Generator) -> NDArray[np.uint8]:
    """Tiles (M * (S + 1), S + 1, 3); each repeats, and its last row and column are its first."""

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(_MATERIALS, *shape, generator=generator)

    base = drawn(0.15, 0.9, 1, 1, 1) + drawn(-0.15, 0.15, 3, 1, 1)
    tone = drawn(0.25, 0.85, 1, 1, 1)  # of skin, from dark to light
    is_skin = torch.zeros(_MATERIALS, dtype=torch.bool)
    is_skin[[_SKIN, _PASSER_BY]] = True
    base = torch.where(
        is_skin.view(-1, 1, 1, 1), tone * torch.tensor([1.0, 0.78, 0.65]).view(3, 1, 1), base
    )
    # Half of all surfaces are nearly plain; skin always is.
    plain = (drawn(0, 1) < 0.5) | is_skin
    contrast = torch.where(plain, 0.02 * 4 ** drawn(0, 1), 0.07 * 4 ** drawn(0, 1))
    tile = torch.zeros(_MATERIALS, 1, _TEXELS, _TEXELS)
    for cells in (4, 12, 32, 96):
        noise = _repeating(drawn(-1, 1, 1, cells, cells))
        tile += noise * drawn(0.1, 1, 1, 1, 1)
    blocks = interpolate(drawn(-1, 1, 1, 10, 14), size=(_TEXELS, _TEXELS), mode="nearest")
    blocky = ((drawn(0, 1) < 0.4) & ~is_skin).float() * drawn(0, 2)
    tile = (tile + blocks * blocky.view(-1, 1, 1, 1)) * contrast.view(-1, 1, 1, 1)
    tint = 1 + drawn(-0.3, 0.3, 3, 1, 1)
    colour = ((base + tile * tint) * 255).clamp(0, 255)
    colour = pad(colour, (0, 1, 0, 1), mode="circular").permute(0, 2, 3, 1)
    return colour.flatten(0, 1).byte().numpy()


def _repeating(noise: Tensor) -> Tensor:
    """Noise (M, 1, cells, cells) as a smooth tile that fits on to itself."""
    cells = noise.shape[-1]
    edge = 3
    padded = pad(noise, (edge,) * 4, mode="circular")
    side = round(_TEXELS * (cells + 2 * edge) / cells)
    # The nearest whole number of texels per cell: the rest is cut off symmetrically.
    smooth = interpolate(padded, size=(side, side), mode="bilinear", align_corners=False)
    start = (side - _TEXELS) // 2
    return smooth[..., start : start + _TEXELS, start : start + _TEXELS]
