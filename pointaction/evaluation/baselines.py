"""What can be told from tracks without learning: classical baselines.

HOF + MBH: H. Wang, A. Klaser, C. Schmid, C.-L. Liu, "Action recognition by dense trajectories"
(2011), as far as tracks alone allow. There the histograms are of dense flow in a tube around each
track and are pooled into a bag of words; here they are of the tracks' own displacements, over the
whole clip. With the camera taken out: H. Wang, C. Schmid, "Action recognition with improved
trajectories" (2013), where the camera is a homography; here it is the median displacement.

DTW: H. Sakoe, S. Chiba, "Dynamic programming algorithm optimization for spoken word recognition"
(1978), on the mean motion of what moves against the camera.

The two thresholds are the better ones of a few tried on real gestures, to the baselines' advantage.

Shapes:  N tracks   T frames   S = T - 1 steps   C cells of time   K neighbours   n clips
"""

import torch
from torch import Tensor

from pointaction.tokens.resample import resample
from pointaction.tokens.units import to_units
from pointaction.tracks import Tracks

FRAMES = 32
_CELLS = 8
_DIRECTIONS = 8
_NEIGHBOURS = 8
_STILL = 0.002  # a step shorter than two thousandths of the longer side is no motion
_MOVING = 0.008  # a step by which a track leaves the camera's motion behind


def hof_mbh(tracks: Tracks, *, camera: bool = True) -> Tensor:
    """Histograms of flow and of motion boundaries (C * 9 + 2 * C * 8,) along the tracks.

    Each of the three is brought to sum 1 and its root is taken, so that the length of their
    difference is Hellinger's distance; a histogram of nothing stays zero. Without the `camera`,
    only steps that leave it behind count, and flow is what they do beyond it.
    """
    place, step, seen = steps(tracks)
    x_change, y_change = gradients(place, step, seen)
    if not camera:
        step, seen = against_camera(step, seen)
    parts = (
        histogram(step, seen, still=_STILL),
        histogram(x_change, seen),
        histogram(y_change, seen),
    )
    return torch.cat([(part / part.sum().clamp(min=1e-12)).sqrt().flatten() for part in parts])


def mean_motion(tracks: Tracks) -> Tensor:
    """Per step the mean displacement (S, 2) of the tracks that move against the camera.

    Where nothing does, it is zero.
    """
    _, step, seen = steps(tracks)
    own, moving = against_camera(step, seen)
    return (own * moving[..., None]).sum(0) / moving.sum(0).clamp(min=1)[:, None]


def against_camera(step: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Steps (N, S, 2) less the camera's, the median of all that are seen; and whose is left (N, S).

    Nothing is left of a step that is too short to be told from the camera's.
    """
    camera = torch.where(seen[..., None], step, torch.nan).nanmedian(0).values
    own = step - camera.nan_to_num()
    return own, seen & (own.norm(dim=-1) > _MOVING)


def steps(tracks: Tracks) -> tuple[Tensor, Tensor, Tensor]:
    """Where each step begins and how far it leads, both (N, S, 2), and who is seen taking it.

    Lengths are in units of the longer side; seen (N, S) is True where both ends are visible.
    """
    xy, visible = to_units(resample(tracks, FRAMES))
    return xy[0, :, :-1], xy[0].diff(dim=1), visible[0, :, 1:] & visible[0, :, :-1]


def gradients(place: Tensor, step: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """How the displacement's x and y parts change across the picture, both (N, S, 2).

    The plane that fits the K nearest tracks seen in the same step best, by least squares.
    """
    place, step, seen = place.transpose(0, 1), step.transpose(0, 1), seen.T  # time first
    distance = torch.cdist(place, place).masked_fill(~seen[:, None], torch.inf)
    distance.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    count = min(_NEIGHBOURS, place.shape[1] - 1)
    near, who = distance.topk(count, largest=False)  # (S, N, K)
    when = torch.arange(len(place))[:, None, None]
    known = near.isfinite()[..., None]
    offset = (place[when, who] - place[:, :, None]) * known  # (S, N, K, 2)
    change = (step[when, who] - step[:, :, None]) * known
    # A little stiffness keeps neighbours on one line from making steep planes.
    normal = offset.transpose(-1, -2) @ offset + 1e-5 * torch.eye(2)
    slope = torch.linalg.solve(normal, offset.transpose(-1, -2) @ change)  # (S, N, 2, 2)
    return slope[..., 0].transpose(0, 1), slope[..., 1].transpose(0, 1)


def histogram(vectors: Tensor, seen: Tensor, *, still: float | None = None) -> Tensor:
    """Lengths of vectors (N, S, 2) by time and direction (C, 8); right is the first direction.

    A vector between two directions is shared between them. With `still`, a ninth bin takes the
    vectors that are shorter, each as one of that length.
    """
    length = vectors.norm(dim=-1)
    turn = torch.atan2(vectors[..., 1], vectors[..., 0]) / (2 * torch.pi) * _DIRECTIONS
    before = turn.floor()
    share = turn - before
    weight = length * seen
    if still is not None:
        weight = weight * (length >= still)
    cell = torch.arange(vectors.shape[1]) * _CELLS // vectors.shape[1]
    filled = torch.zeros(_CELLS, _DIRECTIONS + (still is not None))
    for direction, part in ((before, 1 - share), (before + 1, share)):
        bins = (cell.expand_as(length), direction.long() % _DIRECTIONS)
        filled.index_put_(bins, weight * part, accumulate=True)
    if still is not None:
        resting = (seen & (length < still)) * still
        filled[:, -1].index_add_(0, cell, resting.sum(0))
    return filled


def equal_strength(motions: Tensor) -> Tensor:
    """Mean motions (n, S, 2), each brought to a root mean square of 1: small and slow count alike.

    A motion of nothing stays zero.
    """
    strength = motions.square().sum(-1).mean(-1).sqrt()
    return motions / strength.clamp(min=1e-6)[:, None, None]


def warped_distances(sequences: Tensor) -> Tensor:
    """Time-warped distances (n, n) between sequences (n, S, D), per step of both.

    The cheapest way through both that never goes back in either.
    """
    count, length = sequences.shape[:2]
    apart = sequences.new_full((count, count), torch.inf)
    above = [torch.zeros_like(apart)] + [apart] * length
    for here in sequences.unbind(1):
        row = [apart]
        for j, there in enumerate(sequences.unbind(1)):
            cost = torch.cdist(here, there, compute_mode="donot_use_mm_for_euclid_dist")
            row.append(cost + torch.minimum(torch.minimum(above[j], above[j + 1]), row[j]))
        above = row
    return above[-1] / (2 * length)
