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

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor

PARTS = 31
BOXES = slice(22, 31)  # the parts that may be boxes; all others are ellipsoids
_AT_ONCE = 1 << 17  # points of parts that are looked at together
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

    def to(self, device: torch.device) -> "Scenes":
        return Scenes(**{part.name: getattr(self, part.name).to(device) for part in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What rays meet first."""

    layer: Tensor  # (B, N) 0 the room, 1 + p the part p
    place: Tensor  # (B, N, 3) on a part in half extents along its axes, on the room in the world
    depth: Tensor  # (B, N) along the camera's axis

    def at(self, chosen: Tensor) -> "Hits":
        """Some of them, by index (B, M)."""
        return Hits(
            layer=self.layer.gather(1, chosen),
            place=self.place.gather(1, chosen[..., None].expand(-1, -1, 3)),
            depth=self.depth.gather(1, chosen),
        )


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
    margin: Tensor  # (B, T, P) above 0: the camera is outside the ellipsoid

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
        offset = (inward * centre[..., None, :]).sum(-1)
        return cls(
            outward=turn * half[..., None, :],
            centre=centre,
            inward=inward,
            offset=offset,
            margin=offset.square().sum(-1) - 1,
        )


def follow(
    scenes: Scenes, *, points: int, generator: Generator, focus: Tensor | None = None
) -> ExactTracks:
    """Choose N points uniformly in space and time (TrAction, section 3) and follow them.

    With `focus` (B,) above 0, bodies get more of the points than their share of the picture: at 1
    all that three times as many points would find of them. A few points then teach what many
    would.
    """
    batch, device = len(scenes.label), scenes.focal.device
    seen = Seen.of(scenes)
    drawn = points if focus is None else 3 * points
    frame = torch.randint(scenes.frames, (batch, drawn), generator=generator).to(device)
    start = torch.rand(batch, drawn, 2, generator=generator).to(device) * scenes.extent[:, None]
    hits = _first(scenes, seen, _rays(scenes, start, frame), frame)
    if focus is not None:
        chance = torch.rand(batch, drawn, generator=generator).to(device)
        chosen = (chance + focus[:, None] * (hits.layer > 0)).topk(points, dim=1).indices
        frame = frame.gather(1, chosen)
        hits = hits.at(chosen)
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
    frames = torch.full(xy.shape[:2], frame, device=xy.device)
    return _first(scenes, Seen.of(scenes), _rays(scenes, xy, frames), frames)


def _rays(scenes: Scenes, xy: Tensor, frame: Tensor) -> Tensor:
    """(B, N, 3) camera directions through points from the picture's corner; z is 1."""
    focal = scenes.focal.gather(1, frame)[..., None]
    plane = (xy - scenes.extent[:, None] / 2) / focal
    return torch.cat([plane, torch.ones_like(plane[..., :1])], -1)


def _first(scenes: Scenes, seen: Seen, ray: Tensor, frame: Tensor) -> Hits:
    """What rays (B, N, 3) meet first, each in its own frame (B, N)."""
    # Of all parts only those that are there: K pairs of a scene and a part.
    row, part = scenes.present.nonzero().unbind(1)
    when = row[:, None], frame[row], part[:, None]  # (K, N)
    way = (seen.inward[when] * ray[row][:, :, None]).sum(-1)  # (K, N, 3) on the part's own axes
    offset, margin = seen.offset[when], seen.margin[when]
    square = way.square().sum(-1)
    along = (way * offset).sum(-1)
    inner = along.square() - square * margin
    round_steps = (along - inner.clamp(min=0).sqrt()) / square
    met = (inner > 0) & (margin > 0) & (round_steps > _NEAREST)
    enter, leave = _slabs(way.unbind(-1), offset.unbind(-1))
    box = scenes.box[row, part][:, None]
    met = torch.where(box, (enter < leave) & (enter > _NEAREST), met)
    steps = torch.where(met, torch.where(box, enter, round_steps), torch.inf)
    every = steps.new_full((len(ray), PARTS, ray.shape[1]), torch.inf)
    every[row, part] = steps

    # The room is seen from within: the first wall ahead on each axis, and of those the nearest.
    rows = torch.arange(len(ray), device=ray.device)[:, None]
    heading = (scenes.rotation[rows, frame] * ray[..., None]).sum(-2)
    eye = scenes.eye[rows, frame]
    wall = torch.where(heading > 0, scenes.room[:, None, 1], scenes.room[:, None, 0])
    tiny = torch.where(heading > 0, 1e-9, -1e-9)
    walls = ((wall - eye) / (heading + tiny)).clamp(min=_NEAREST).amin(-1)

    depth, layer = torch.cat([walls[:, None], every], 1).min(1)
    which = rows, frame, (layer - 1).clamp(min=0)
    on_part = (seen.inward[which] * ray[:, :, None]).sum(-1) * depth[..., None]
    on_part = on_part - seen.offset[which]
    place = torch.where((layer == 0)[..., None], eye + heading * depth[..., None], on_part)
    return Hits(layer=layer, place=place, depth=depth)


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
    axes = [axis.contiguous() for axis in camera.unbind(-1)]
    hidden = torch.zeros_like(axes[0])
    # A few pairs of a scene and a part at a time, so that what is made of them stays in the cache.
    pairs = max(1, _AT_ONCE // axes[0][0].numel())
    for behind, solid in (
        (_behind_ellipsoid, scenes.present & ~scenes.box),
        (_behind_box, scenes.present & scenes.box),
    ):
        for some in solid.nonzero().split(pairs):
            row, part = some.unbind(1)
            inward, offset = seen.inward[row, :, part], seen.offset[row, :, part]
            point = [axis[row] for axis in axes]
            way = [
                _dot([part[..., None] for part in inward[..., number, :].unbind(-1)], point)
                for number in range(3)
            ]  # (K, T, N) each
            covered = behind(way, [part[..., None] for part in offset.unbind(-1)])
            hidden.index_add_(0, row, covered.to(hidden.dtype))
    return hidden > 0


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """The sum of products, axis by axis, written over itself."""
    total = one[0] * other[0]
    for a, b in zip(one[1:], other[1:], strict=True):
        total.addcmul_(a, b)
    return total


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
