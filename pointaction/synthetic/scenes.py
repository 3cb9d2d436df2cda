"""Scenes of solid bodies in a room before a moving camera: exact tracks, depth and visibility.

Shapes:  B scenes   P parts   T frames   N points

The world is x right, y down, z away from the camera. Picture coordinates are in units of the
longer side with the origin in the middle: what a camera sees at (x, y, z) lies at
focal * (x, y) / z. A part is an ellipsoid or a box that moves and stretches; the room is a box
seen from within. Whatever a ray hits has closed-form coordinates on its part, so that following
a point is exact, and drawing a frame is the same question asked for every pixel.

Who hides whom is exact as well: an ellipsoid's outline is a conic of the picture, and behind it
lies what is beyond the plane through that outline; a box is where three slabs meet.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Generator, Tensor

PARTS = 31
BOXES = slice(22, 31)  # the parts that may be boxes; all others are ellipsoids
_AT_ONCE = 1 << 16  # points of parts that are looked at together
_NEAREST = 1e-3  # nothing is met nearer to the camera than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """B scenes over T frames."""

    label: Tensor  # (B,) which class of motion
    extent: Tensor  # (B, 2) width and height of the picture, the longer one is 1
    centre: Tensor  # (B, P, T, 3)
    turn: Tensor  # (B, P, T, 3, 3) the part's own axes as columns
    half: Tensor  # (B, P, T, 3) half extents along them
    box: Tensor  # (B, P) bool: a box, else an ellipsoid
    present: Tensor  # (B, P) bool
    room: Tensor  # (B, 2, 3) least and greatest corner
    eye: Tensor  # (B, T, 3) where the camera is
    rotation: Tensor  # (B, T, 3, 3) world to camera
    focal: Tensor  # (B, T)
    looks: Tensor  # (B,) seed of colours and textures

    @property
    def frames(self) -> int:
        return self.focal.shape[1]

    def only(self, row: int) -> "Scenes":
        """The scene number `row` as a batch of one."""
        return self.rows(slice(row, row + 1))

    def rows(self, some: slice) -> "Scenes":
        """Some of the scenes."""
        return Scenes(**{part.name: getattr(self, part.name)[some] for part in fields(self)})

    def at(self, frame: int) -> "Scenes":
        """The scenes as clips of one frame."""
        only = slice(frame, frame + 1)
        return replace(
            self,
            centre=self.centre[:, :, only],
            turn=self.turn[:, :, only],
            half=self.half[:, :, only],
            eye=self.eye[:, only],
            rotation=self.rotation[:, only],
            focal=self.focal[:, only],
        )

    def to(self, device: torch.device) -> "Scenes":
        return Scenes(**{part.name: getattr(self, part.name).to(device) for part in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What rays meet first."""

    layer: Tensor  # (B, N) 0 the room, 1 + p the part p
    place: Tensor  # (B, N, 3) on a part in half extents along its axes, on the room in the world
    depth: Tensor  # (B, N) along the camera's axis


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactTracks:
    """N points of each scene; xy from the picture's corner in units of its longer side."""

    xy: Tensor  # (B, N, T, 2)
    depth: Tensor  # (B, N, T) along the camera's axis
    visible: Tensor  # (B, N, T) bool
    frame: Tensor  # (B, N) where each point was chosen
    layer: Tensor  # (B, N) what it belongs to, see Hits


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Parts in the camera's own axes. A point x of it is at inward @ x - offset on the part."""

    outward: Tensor  # (B, T, P, 3, 3) from the part's half extents to the camera's axes
    centre: Tensor  # (B, T, P, 3)
    inward: Tensor  # (B, T, P, 3, 3) and back
    offset: Tensor  # (B, T, P, 3)

    @classmethod
    def of(cls, scenes: Scenes) -> "Seen":
        # All parts side by side: one wide product per frame instead of many of 3 x 3.
        turns = scenes.turn.permute(0, 2, 3, 1, 4)  # (B, T, 3, P, 3)
        turn = (scenes.rotation @ turns.flatten(3)).unflatten(-1, turns.shape[3:])
        turn = turn.transpose(2, 3)
        away = scenes.centre.transpose(1, 2) - scenes.eye[:, :, None]
        centre = away @ scenes.rotation.transpose(-1, -2)
        half = scenes.half.transpose(1, 2)
        inward = turn.transpose(-1, -2) / half[..., None]
        return cls(
            outward=turn * half[..., None, :],
            centre=centre,
            inward=inward,
            offset=(inward * centre[..., None, :]).sum(-1),
        )


def follow(
    scenes: Scenes, *, points: int, generator: Generator, focus: Tensor | None = None
) -> ExactTracks:
    """Choose N points uniformly in space and time (TrAction, section 3) and follow them.

    With `focus` (B,) above 0, bodies get more of the points than their share of the picture: at 1
    all that three times as many points would find of them. A few points then teach what many
    would.
    """
    batch, frames, device = len(scenes.label), scenes.frames, scenes.focal.device
    seen = Seen.of(scenes)
    # As many rays in every frame, of which some are then chosen.
    each = math.ceil((points if focus is None else 3 * points) / frames)
    start = torch.rand(batch, frames, each, 2, generator=generator).to(device)
    rays = _rays(scenes, start * scenes.extent[:, None, None])
    depth, layer = _first(scenes, seen, rays)
    chance = torch.rand(batch, frames * each, generator=generator).to(device)
    if focus is not None:
        chance += focus[:, None] * (layer > 0)
    chosen = chance.topk(points, dim=1).indices
    frame = chosen // each
    ray = rays.flatten(1, 2).gather(1, chosen[..., None].expand(-1, -1, 3))
    hits = _hits(
        scenes, seen, ray, frame, depth=depth.gather(1, chosen), layer=layer.gather(1, chosen)
    )
    return _carry(scenes, seen, hits, frame)


def _carry(scenes: Scenes, seen: Seen, hits: Hits, frame: Tensor) -> ExactTracks:
    """Where what was hit goes."""
    batch, frames = len(scenes.label), scenes.frames
    rows = torch.arange(batch, device=frame.device)[:, None]
    # Every layer as one affine map from places on it to the camera's axes; the room comes first.
    away = -(scenes.rotation @ scenes.eye[..., None])
    room = torch.cat([scenes.rotation, away], -1)[:, None]  # (B, 1, T, 3, 4)
    parts = torch.cat([seen.outward, seen.centre[..., None]], -1).transpose(1, 2)
    maps = torch.cat([room, parts], 1).flatten(2, 3)[rows, hits.layer]  # (B, N, 3T, 4)
    place = torch.cat([hits.place, torch.ones_like(hits.place[..., :1])], -1)
    camera = (maps @ place[..., None])[..., 0].unflatten(-1, (frames, 3)).transpose(1, 2)

    depth = camera[..., 2].clamp(min=1e-3)
    plane = camera[..., :2] / depth[..., None]
    xy = plane * scenes.focal[..., None, None] + scenes.extent[:, None, None] / 2
    inside = ((xy >= 0) & (xy <= scenes.extent[:, None, None])).all(-1) & (camera[..., 2] > 1e-3)
    visible = inside & ~_hidden(scenes, seen, camera)
    return ExactTracks(
        xy=xy.clamp(-4, 4).transpose(1, 2),
        depth=depth.transpose(1, 2),
        visible=visible.transpose(1, 2),
        frame=frame,
        layer=hits.layer,
    )


def look(scenes: Scenes, xy: Tensor, frame: int) -> Hits:
    """What is seen at points (B, N, 2) from the picture's corner, all in the same frame."""
    scenes = scenes.at(frame)
    seen, rays = Seen.of(scenes), _rays(scenes, xy[:, None])
    depth, layer = _first(scenes, seen, rays)
    return _hits(scenes, seen, rays[:, 0], torch.zeros_like(layer), depth=depth, layer=layer)


def _rays(scenes: Scenes, xy: Tensor) -> Tensor:
    """(B, T, M, 3) camera directions through points from the picture's corner; z is 1."""
    plane = (xy - scenes.extent[:, None, None] / 2) / scenes.focal[..., None, None]
    return torch.cat([plane, torch.ones_like(plane[..., :1])], -1)


def _first(scenes: Scenes, seen: Seen, ray: Tensor) -> tuple[Tensor, Tensor]:
    """Depth and layer (B, T * M), see Hits, of what rays (B, T, M, 3) meet first."""
    batch, device = len(ray), ray.device
    depth = torch.full((batch, 1 + PARTS, *ray.shape[1:3]), torch.inf, device=device)
    for meet, row, part, way, offset in _against(
        scenes, seen, ray, ellipsoid=_meet_ellipsoid, box=_meet_box
    ):
        depth[row, 1 + part] = meet(way, offset)

    # The room is seen from within: the first wall ahead on each axis, and of those the nearest.
    heading = ray @ scenes.rotation
    least, greatest = scenes.room[:, :, None, None].unbind(1)
    ahead = torch.where(heading > 0, greatest, least) - scenes.eye[:, :, None]
    walls = ahead / (heading + torch.where(heading > 0, 1e-9, -1e-9))
    depth[:, 0] = walls.clamp(min=_NEAREST).amin(-1)
    nearest, layer = depth.flatten(2).min(1)
    return nearest, layer


def _hits(
    scenes: Scenes, seen: Seen, ray: Tensor, frame: Tensor, *, depth: Tensor, layer: Tensor
) -> Hits:
    """Where on its layer each ray (B, N, 3) of a frame (B, N) ends."""
    rows = torch.arange(len(ray), device=ray.device)[:, None]
    heading = (scenes.rotation[rows, frame] * ray[..., None]).sum(-2)
    in_room = scenes.eye[rows, frame] + heading * depth[..., None]
    which = rows, frame, (layer - 1).clamp(min=0)
    on_part = (seen.inward[which] * ray[:, :, None]).sum(-1) * depth[..., None]
    on_part = on_part - seen.offset[which]
    place = torch.where((layer == 0)[..., None], in_room, on_part)
    return Hits(layer=layer, place=place, depth=depth)


_Asked = Callable[[list[Tensor], list[Tensor]], Tensor]


def _against(
    scenes: Scenes, seen: Seen, points: Tensor, *, ellipsoid: _Asked, box: _Asked
) -> Iterator[tuple[_Asked, Tensor, Tensor, list[Tensor], list[Tensor]]]:
    """Hold points or directions (B, T, M, 3) against all parts that there are.

    K pairs of a scene and a part at a time: what to ask about parts of their kind, scenes (K,),
    parts (K,), the points in the part's own axes (K, T, M), and the part's offset (K, T, 1).
    """
    axes = [axis.contiguous() for axis in points.unbind(-1)]
    # Few at a time, so that what is made of them stays in the cache.
    pairs = max(1, _AT_ONCE // axes[0][0].numel())
    for ask, solid in (
        (ellipsoid, scenes.present & ~scenes.box),
        (box, scenes.present & scenes.box),
    ):
        for some in solid.nonzero().split(pairs):
            row, part = some.unbind(1)
            inward, offset = seen.inward[row, :, part], seen.offset[row, :, part]
            point = [axis[row] for axis in axes]
            way = [
                _dot([part[..., None] for part in inward[..., number, :].unbind(-1)], point)
                for number in range(3)
            ]
            yield ask, row, part, way, [axis[..., None] for axis in offset.unbind(-1)]


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """The sum of products, axis by axis, written over itself."""
    total = one[0] * other[0]
    for a, b in zip(one[1:], other[1:], strict=True):
        total.addcmul_(a, b)
    return total


def _meet_ellipsoid(way: list[Tensor], offset: list[Tensor]) -> Tensor:
    """How many times `way` it is from -offset to the unit sphere; infinite where it is missed."""
    margin, along, square = _dot(offset, offset) - 1, _dot(way, offset), _dot(way, way)
    inner = along * along - square * margin
    steps = (along - inner.clamp(min=0).sqrt()) / square
    return torch.where((inner > 0) & (margin > 0) & (steps > _NEAREST), steps, torch.inf)


def _meet_box(way: list[Tensor], offset: list[Tensor]) -> Tensor:
    """How many times `way` it is from -offset to the cube; infinite where it is missed."""
    enter, leave = _slabs(way, offset)
    return torch.where((enter < leave) & (enter > _NEAREST), enter, torch.inf)


def _slabs(way: Sequence[Tensor], offset: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Where rays from -offset enter and leave the cube from -1 to 1; both axis by axis."""
    enters, leaves = [], []
    for step, start in zip(way, offset, strict=True):
        inverse = (step + torch.where(step < 0, -1e-9, 1e-9)).reciprocal()
        middle, reach = start * inverse, inverse.abs()
        enters.append(middle - reach)
        leaves.append(middle + reach)
    enter = torch.maximum(torch.maximum(enters[0], enters[1]), enters[2])
    leave = torch.minimum(torch.minimum(leaves[0], leaves[1]), leaves[2])
    return enter, leave


def _hidden(scenes: Scenes, seen: Seen, camera: Tensor) -> Tensor:
    """(B, T, N) whether points (B, T, N, 3) lie behind a part, their own included."""
    hidden = torch.zeros(camera.shape[:3], device=camera.device)
    for behind, row, _, way, offset in _against(
        scenes, seen, camera, ellipsoid=_behind_ellipsoid, box=_behind_box
    ):
        hidden.index_add_(0, row, behind(way, offset).to(hidden.dtype))
    return hidden > 0


def _behind_ellipsoid(way: list[Tensor], offset: list[Tensor]) -> Tensor:
    """(K, T, N) whether points `way - offset` from the middle of a unit sphere are behind it.

    The camera is at -offset. Where it is outside, the ray meets the sphere when its outline's
    form is above 0, and the point is beyond the plane through that outline.
    """
    margin, along, square = _dot(offset, offset) - 1, _dot(way, offset), _dot(way, way)
    # Points that were chosen on the surface are not behind it for the sake of rounding.
    beyond = along > 1.0001 * margin.clamp(min=0)
    return (margin > 0) & beyond & (along * along > square * margin)


def _behind_box(way: list[Tensor], offset: list[Tensor]) -> Tensor:
    """(K, T, N) whether points `way - offset` from the middle of the cube are behind it."""
    enter, leave = _slabs(way, offset)
    return (enter < leave) & (enter > _NEAREST) & (enter < 0.999)
