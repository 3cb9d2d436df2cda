"""How well segments that were found agree with those that are there.

Average precision as for temporal action localisation (F. Caba Heilbron et al., "ActivityNet",
CVPR 2015): what was found counts if it overlaps enough with something that is there and that
nothing surer was counted for.
"""

from collections.abc import Sequence

import numpy as np

from pointaction.errors import InputError
from pointaction.timelines.segments import Segment

OVERLAPS = (0.3, 0.5, 0.7)


def overlap(one: Segment, other: Segment) -> float:
    """Their time together over the time of either: 0 to 1."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    if shared <= 0:
        return 0.0
    return shared / ((one.end - one.start) + (other.end - other.start) - shared)


def average_precision(found: Sequence[Segment], there: Sequence[Segment], *, least: float) -> float:
    """The area under precision over recall, for the segments of one label in one video.

    The surest come first; each is right if it overlaps by `least` or more with a segment that is
    there and that no surer one has taken, the one it overlaps most. Precision at a recall is the
    best at that recall or a higher one. InputError where nothing is there.
    """
    if not there:
        raise InputError("the precision of a label needs segments of it that are there, got none")
    free = list(there)
    right = []
    for each in sorted(found, key=lambda segment: -segment.score):
        best = max(free, key=lambda other: overlap(each, other), default=None)
        hit = best is not None and overlap(each, best) >= least
        if best is not None and hit:
            free.remove(best)
        right.append(hit)
    flags = np.array(right, bool)
    precision = flags.cumsum() / np.arange(1, len(flags) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[flags].sum() / len(there))


def mean_average_precision(
    found: Sequence[Segment], there: Sequence[Segment], *, least: float
) -> float:
    """The mean of `average_precision` over the labels that are there."""
    labels = sorted({segment.label for segment in there})
    each = [
        average_precision(
            [segment for segment in found if segment.label == label],
            [segment for segment in there if segment.label == label],
            least=least,
        )
        for label in labels
    ]
    if not each:
        raise InputError("nothing is there that could have been found; give the true segments")
    return sum(each) / len(each)
