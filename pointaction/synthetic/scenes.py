"""Scenes of flat bodies before a moving camera: exact tracks, depth and visibility.

Shapes:  B scenes   L layers (0 the background, 1 and 2 the bodies)   T frames   N points

The world is x right, y down, z away from the camera. Picture coordinates are in units of the
longer side with the origin in the middle: a point at (x, y, z) is seen at focal * (x, y) / z.
A body is a textured plate: whatever a ray hits has closed-form coordinates on it, so that
following a point is exact, and drawing a frame is the same question asked for every pixel.
"""

from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor

from pointaction.synthetic.motions import LABELS, MOTIONS, Draw, Motion

LAYERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """B scenes over T frames."""

    label: Tensor  # (B,) index into LABELS
    extent: Tensor  # (B, 2) width and height of the picture, the longer one is 1
    centre: Tensor  # (B, L, T, 3)
    u: Tensor  # (B, L, T, 3) unit vectors that span the plate
    v: Tensor  # (B, L, T, 3)
    half: Tensor  # (B, L, 2) half extents along u and v; the background's are infinite
    power: Tensor  # (B, L) superellipse exponent: 2 an ellipse, 8 nearly a rectangle
    present: Tensor  # (B, L) bool
    rotation: Tensor  # (B, T, 3, 3) world to camera
    focal: Tensor  # (B, T) in units of the longer side

    @property
    def frames(self) -> int:
        return self.centre.shape[2]

    def only(self, row: int) -> "Scenes":
        """A batch of the one scene number `row`."""
        return Scenes(**{name: getattr(self, name)[row : row + 1] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What the rays through some points of the picture meet first."""

    layer: Tensor  # (B, P) long
    uv: Tensor  # (B, P, 2) coordinates on that plate
    depth: Tensor  # (B, P) distance along z of the camera


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactTracks:
    """N points of each scene through time, without error. Picture coordinates as `Scenes`."""

    xy: Tensor  # (B, N, T, 2) from the top-left corner, in units of the longer side
    depth: Tensor  # (B, N, T)
    visible: Tensor  # (B, N, T) bool: in the picture and not behind anything
    frame: Tensor  # (B, N) long: where the point was chosen
    layer: Tensor  # (B, N) long: what it is on


def sample_scenes(labels: Tensor, *, frames: int, generator: Generator) -> Scenes:
    """Perform each of `labels` (B,), indices into LABELS, once."""
    motions: list[Motion] = []
    order: list[Tensor] = []
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        draw = Draw(count=len(rows), frames=frames, generator=generator)
        motions.append(MOTIONS[LABELS[int(label)]](draw))
        order.append(rows)
    back = torch.cat(order).argsort()
    merged = Motion(
        **{
            part.name: torch.cat([getattr(motion, part.name) for motion in motions])[back]
            for part in fields(Motion)
        }
    )
    return _stage(labels, merged, generator)


def _stage(labels: Tensor, motion: Motion, generator: Generator) -> Scenes:
    """Give the motion bodies, a background and a camera held by a hand."""
    count, frames = len(labels), motion.path.shape[2]
    draw = Draw(count=count, frames=frames, generator=generator)
    extent = _extents(draw)
    focal0 = draw.uniform(0.8, 1.4)
    half, power, present = _bodies(draw, motion)
    place = _places(draw, motion, extent, half)  # (B, 2, T, 2) on the picture
    away = motion.path[..., 2]
    distance = draw.uniform(1.5, 3.0, 2)[..., None] * (away - away[..., frames // 2, None]).exp()
    scale = (distance / focal0[:, None, None])[..., None]
    centre = torch.cat([place * scale, distance[..., None]], -1)  # (B, 2, T, 3)
    half = half * scale[:, :, frames // 2]  # sizes are as seen in the middle frame
    lean = torch.where(motion.upright[:, None], 0.0, draw.uniform(-torch.pi, torch.pi, 2))
    centre, u, v = _pose(centre, motion, lean, half)
    back_centre, back_u, back_v = _background(draw)

    camera = motion.camera + _hand(draw)
    # The middle frame looks straight ahead, so that half of a pan lies on either side.
    camera = camera - camera[:, frames // 2, None]
    full = (count, 1, frames, 3)
    return Scenes(
        label=labels,
        extent=extent,
        centre=torch.cat([back_centre[:, None, None].expand(full), centre], 1),
        u=torch.cat([back_u[:, None, None].expand(full), u], 1),
        v=torch.cat([back_v[:, None, None].expand(full), v], 1),
        half=torch.cat([torch.full((count, 1, 2), torch.inf), half], 1),
        power=torch.cat([torch.full((count, 1), 2.0), power], 1),
        present=torch.cat([torch.ones(count, 1, dtype=torch.bool), present], 1),
        rotation=_rotation(camera),
        focal=focal0[:, None] * camera[..., 3].exp(),
    )


def _extents(draw: Draw) -> Tensor:
    """4:3, 16:9 and square, mostly lying, some standing."""
    ratios = torch.tensor([3 / 4, 9 / 16, 1.0])
    short = ratios[torch.randint(3, (draw.count,), generator=draw.generator)]
    lying = draw.uniform(0, 1) < 0.8
    one = torch.ones(draw.count)
    return torch.stack([torch.where(lying, one, short), torch.where(lying, short, one)], -1)


def _bodies(draw: Draw, motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
    """Half extents as seen (B, 2, 2), powers (B, 2), and which bodies are there (B, 2)."""
    size = draw.uniform(0.085, 0.19, 2)
    stretch = draw.uniform(0.65, 1.5, 2)
    half = torch.stack([size * stretch.sqrt(), size / stretch.sqrt()], -1)
    doors = draw.uniform(0.12, 0.26, 1, 2).expand(-1, 2, -1)
    half = torch.where(motion.upright[:, None, None], doors, half)
    power = torch.tensor([2.0, 3.0, 8.0])[
        torch.randint(3, (draw.count, 2), generator=draw.generator)
    ]
    power = torch.where(motion.upright[:, None], 12.0, power)
    # Bodies that the motion does not need stand by, at rest, in some scenes.
    bystander = (draw.uniform(0, 1, 2) < 0.4) & ~motion.upright[:, None]
    return half, power, motion.bodies | bystander


def _places(draw: Draw, motion: Motion, extent: Tensor, half: Tensor) -> Tensor:
    """Where the bodies' centres are on the picture, their ways kept inside where they fit."""
    path = motion.path[..., :2]  # (B, 2, T, 2)
    acting = motion.bodies[:, :, None, None]
    low = torch.where(acting, path, torch.inf).amin((1, 2))
    high = torch.where(acting, path, -torch.inf).amax((1, 2))
    none = ~motion.bodies.any(1, keepdim=True)
    low, high = low.masked_fill(none, 0.0), high.masked_fill(none, 0.0)
    paired = (motion.hinge.abs().sum((1, 2)) > 0) & motion.bodies[:, 1]
    size = half.amax(1) * torch.where(paired, 2.0, 1.0)[:, None]
    room = (extent - (high - low) - size).clamp(min=0.05)
    anchor = (torch.rand(draw.count, 2, generator=draw.generator) - 0.5) * room - (low + high) / 2
    place = path + anchor[:, None, None]
    # Two wings of a door lie side by side, hinges outside.
    apart = torch.where(paired[:, None, None], motion.hinge * half, 0.0)
    place = place + apart[:, :, None]
    # A bystander has a place of its own.
    elsewhere = (draw.uniform(-0.5, 0.5, 2, 2) * extent[:, None])[:, :, None]
    return torch.where(acting, place, elsewhere.expand_as(place))


def _pose(
    centre: Tensor, motion: Motion, lean: Tensor, half: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Centres and axes (B, 2, T, 3) after turning in the plane and folding about the hinge."""
    angle = lean[..., None] + motion.turn
    zero = torch.zeros_like(angle)
    u = torch.stack([angle.cos(), angle.sin(), zero], -1)
    v = torch.stack([-angle.sin(), angle.cos(), zero], -1)
    towards = torch.tensor([0.0, 0.0, -1.0])
    cos, sin = motion.fold.cos()[..., None], motion.fold.sin()[..., None]
    sideways = (motion.hinge[..., 0] != 0)[..., None, None]
    hinge = motion.hinge * half  # (B, 2, 2) from the centre, along u and v
    pivot = centre + u * hinge[:, :, None, :1] + v * hinge[:, :, None, 1:]
    folded_u = torch.where(sideways, u * cos + towards * sin, u)
    folded_v = torch.where(sideways, v, v * cos + towards * sin)
    centre = pivot - folded_u * hinge[:, :, None, :1] - folded_v * hinge[:, :, None, 1:]
    return centre, folded_u, folded_v


def _background(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    """A wall some way off that leans a little: centre, u and v (B, 3)."""
    distance = draw.uniform(10.0, 16.0)
    zero, one = torch.zeros(draw.count), torch.ones(draw.count)
    lean = draw.uniform(-0.35, 0.35, 2)
    u = torch.stack([one, zero, lean[:, 0]], -1)
    v = torch.stack([zero, one, lean[:, 1]], -1)
    u = u / u.norm(dim=-1, keepdim=True)
    v = v - u * (u * v).sum(-1, keepdim=True)
    return torch.stack([zero, zero, distance], -1), u, v / v.norm(dim=-1, keepdim=True)


def _hand(draw: Draw) -> Tensor:
    """The sway of a hand-held camera (B, T, 4); a third of the cameras stand on a tripod."""
    time = torch.linspace(0, 1, draw.frames)
    sway = torch.zeros(draw.count, draw.frames, 4)
    for cycles in (0.5, 1.3, 3.1):
        phase = draw.uniform(0, 2 * torch.pi, 1, 4)
        size = draw.uniform(0, 1, 1, 4) / cycles
        sway = sway + size * (2 * torch.pi * cycles * time[None, :, None] + phase).sin()
    amount = torch.tensor([0.012, 0.012, 0.012, 0.006]) * draw.uniform(0, 1)[:, None]
    tripod = draw.uniform(0, 1)[:, None] < 0.33
    return sway * torch.where(tripod, 0.0, amount)[:, None]


def _rotation(camera: Tensor) -> Tensor:
    """World to camera (B, T, 3, 3) for pan right, tilt up and roll clockwise."""
    pan, tilt, roll = camera[..., 0], camera[..., 1], camera[..., 2]
    zero, one = torch.zeros_like(pan), torch.ones_like(pan)
    yaw = [pan.cos(), zero, -pan.sin(), zero, one, zero, pan.sin(), zero, pan.cos()]
    pitch = [one, zero, zero, zero, tilt.cos(), tilt.sin(), zero, -tilt.sin(), tilt.cos()]
    # A camera that rolls clockwise sees the world turn anticlockwise.
    spin = [roll.cos(), roll.sin(), zero, -roll.sin(), roll.cos(), zero, zero, zero, one]
    to_matrix = [torch.stack(part, -1).unflatten(-1, (3, 3)) for part in (spin, pitch, yaw)]
    return to_matrix[0] @ to_matrix[1] @ to_matrix[2]


Pose = tuple[Tensor, Tensor, Tensor]  # centre, u and v of plates, each (B, L, ..., 3)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Along the last axis of 3, broadcast; written out, it makes no array of products."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def _meet(scenes: Scenes, ray: Tensor, pose: Pose) -> tuple[Tensor, Tensor, Tensor]:
    """Rays (B, 1, ..., 3) against plates: how far (infinity: missed), u and v, each (B, L, ...).

    Where poses are the same for many rays, they come with an axis of 1 there.
    """
    centre, u, v = pose
    normal = torch.linalg.cross(u, v)
    slant = _dot(ray, normal)
    steps = _dot(normal, centre) / torch.where(slant.abs() < 1e-6, 1e-6, slant)
    along_u = steps * _dot(ray, u) - _dot(centre, u)
    along_v = steps * _dot(ray, v) - _dot(centre, v)
    axes = (...,) + (None,) * (ray.ndim - 3)
    half_u, half_v = scenes.half[..., 0][axes], scenes.half[..., 1][axes]
    power = scenes.power[axes]
    inside = (along_u / half_u).abs() ** power + (along_v / half_v).abs() ** power <= 1
    hit = inside & (steps > 1e-3) & scenes.present[axes]
    return torch.where(hit, steps, torch.inf), along_u, along_v


def _rays(scenes: Scenes, xy: Tensor, rotation: Tensor, focal: Tensor) -> Tensor:
    """World directions (B, ..., 3) through points (B, ..., 2) from the corner; their camera z is 1.

    rotation (B, ..., 3, 3) and focal (B, ...) are broadcast.
    """
    middle = scenes.extent.view(-1, *(1,) * (xy.ndim - 2), 2) / 2
    plane = (xy - middle) / focal[..., None]
    seen = torch.cat([plane, torch.ones_like(plane[..., :1])], -1)
    # The columns of a rotation are the rows of its inverse: back from camera to world.
    return torch.stack([_dot(seen, rotation[..., axis]) for axis in range(3)], -1)


def cast(scenes: Scenes, xy: Tensor, frame: Tensor) -> Hits:
    """What is seen at points (B, P, 2), each in its own frame (B, P)."""
    rows = torch.arange(len(xy))[:, None]
    ray = _rays(scenes, xy, scenes.rotation[rows, frame], scenes.focal[rows, frame])

    def at(poses: Tensor) -> Tensor:  # (B, L, T, 3) -> (B, L, P, 3)
        return poses.gather(2, frame[:, None, :, None].expand(-1, LAYERS, -1, 3))

    return _first(*_meet(scenes, ray[:, None], (at(scenes.centre), at(scenes.u), at(scenes.v))))


def look(scenes: Scenes, xy: Tensor, frame: int) -> Hits:
    """What is seen at points (B, P, 2), all in the same frame: as `cast`, for whole pictures."""
    now = slice(frame, frame + 1)
    ray = _rays(scenes, xy, scenes.rotation[:, now], scenes.focal[:, now])
    pose = (scenes.centre[:, :, now], scenes.u[:, :, now], scenes.v[:, :, now])
    return _first(*_meet(scenes, ray[:, None], pose))


def _first(steps: Tensor, along_u: Tensor, along_v: Tensor) -> Hits:
    """The nearest of the plates that each ray meets."""
    depth, layer = steps.min(1)
    uv = torch.stack([part.gather(1, layer[:, None])[:, 0] for part in (along_u, along_v)], -1)
    return Hits(layer=layer, uv=uv, depth=depth)


def follow(scenes: Scenes, *, points: int, generator: Generator) -> ExactTracks:
    """Choose N points uniformly in space and time (TrAction, section 3) and follow them."""
    batch, frames = len(scenes.label), scenes.frames
    frame = torch.randint(frames, (batch, points), generator=generator)
    start = torch.rand(batch, points, 2, generator=generator) * scenes.extent[:, None]
    hits = cast(scenes, start, frame)

    def of_layer(poses: Tensor) -> Tensor:  # (B, L, T, 3) -> (B, N, T, 3)
        return poses.gather(1, hits.layer[..., None, None].expand(-1, -1, frames, 3))

    world = (
        of_layer(scenes.centre)
        + of_layer(scenes.u) * hits.uv[:, :, None, :1]
        + of_layer(scenes.v) * hits.uv[:, :, None, 1:]
    )
    seen = torch.einsum("btij,bntj->bnti", scenes.rotation, world)
    depth = seen[..., 2].clamp(min=1e-3)
    plane = seen[..., :2] / depth[..., None] * scenes.focal[:, None, :, None]
    xy = (plane + scenes.extent[:, None, None] / 2).clamp(-4, 4)
    inside = ((xy >= 0) & (xy <= scenes.extent[:, None, None])).all(-1) & (seen[..., 2] > 1e-3)
    visible = inside & ~_hidden(scenes, xy, depth, hits.layer)
    return ExactTracks(xy=xy, depth=depth, visible=visible, frame=frame, layer=hits.layer)


def _hidden(scenes: Scenes, xy: Tensor, depth: Tensor, layer: Tensor) -> Tensor:
    """(B, N, T) whether another plate is nearer along the same ray."""
    ray = _rays(scenes, xy, scenes.rotation[:, None], scenes.focal[:, None])  # (B, N, T, 3)
    pose = (scenes.centre[:, :, None], scenes.u[:, :, None], scenes.v[:, :, None])
    steps, _, _ = _meet(scenes, ray[:, None], pose)  # (B, L, N, T)
    own = torch.nn.functional.one_hot(layer, LAYERS).bool().permute(0, 2, 1)[..., None]
    nearest = steps.masked_fill(own, torch.inf).amin(1)
    return nearest < depth - 1e-3
