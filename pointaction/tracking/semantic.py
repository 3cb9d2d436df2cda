"""Start tracks on what there is to see: as many on a small thing as on a large one.

Trokens, "Semantic-Aware Point Sampling": the patches of all frames fall into groups that look
alike, and each group gets the same number of points, in the first frame in which it is seen.

Shapes:  T frames   g * g patches of C values   n = T * g * g   N queries of (frame, x, y)
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointaction.appearance.base import PatchFeatures
from pointaction.clip import Clip
from pointaction.tokens.farthest import farthest


def semantic_queries(
    clip: Clip, count: int, patches: PatchFeatures, *, groups: int = 16
) -> NDArray[np.float32]:
    """`count` queries (N, 3), group by group, seeded by the clip's hash.

    Where a clip has fewer kinds of patches than `groups`, each gets more of the points.
    """
    features = torch.from_numpy(patches.describe(clip))
    grid = features.shape[1]
    group = k_means(features.flatten(0, 2), groups).view(len(features), -1)  # (T, g * g)
    kinds = group.unique().tolist()
    generator = np.random.default_rng(int(clip.sha256[:16], 16))
    height, width = clip.size
    queries = []
    for number, kind in enumerate(kinds):
        points = count // len(kinds) + (number < count % len(kinds))
        frame = int((group == kind).any(1).nonzero()[0])
        where = (group[frame] == kind).nonzero().flatten().numpy()
        # Every patch of the group in turn, so that points lie all over it.
        rounds = [generator.permutation(where) for _ in range(-(-points // len(where)))]
        chosen = np.concatenate([where[:0], *rounds])[:points]
        x = (chosen % grid + generator.uniform(size=points)) * width / grid - 0.5
        y = (chosen // grid + generator.uniform(size=points)) * height / grid - 0.5
        place = x.clip(0, width - 1), y.clip(0, height - 1)
        queries.append(np.stack([np.full(points, frame), *place], -1))
    return np.concatenate(queries).astype(np.float32)


def k_means(points: Tensor, groups: int, *, rounds: int = 20) -> Tensor:
    """The group (n,) of each of points (n, C), 0 to groups - 1; some may be empty.

    Groups begin at points far from each other, so that a few points that look like no others are
    not lost among many.
    """
    centres = points[farthest(points[None], groups)[0]]
    group = torch.cdist(points, centres).argmin(1)
    for _ in range(rounds):
        sums = torch.zeros_like(centres).index_add(0, group, points)
        sizes = group.bincount(minlength=groups)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
        before, group = group, torch.cdist(points, centres).argmin(1)
        if torch.equal(before, group):
            break
    return group
