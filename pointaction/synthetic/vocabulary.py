"""The vocabulary: all named motions, their opposites, and their performance in batches.

Shapes:  B performances of any names

It is documented as data, name by name, in `model_store/vocabulary.toml`; a test compares the two.
"""

import torch
from torch import Generator, Tensor

from pointaction.synthetic.acts import Action, either, still
from pointaction.synthetic.acts_camera import CAMERA
from pointaction.synthetic.acts_figures import FIGURES
from pointaction.synthetic.acts_gestures import GESTURES
from pointaction.synthetic.acts_handling import HANDLING
from pointaction.synthetic.acts_hands import HANDS
from pointaction.synthetic.acts_pairs import PAIRS
from pointaction.synthetic.acts_things import THINGS
from pointaction.synthetic.score import Cast, Draw, Score

VERSION = "2"  # version 1 was 33 names

STILL: dict[str, Action] = {
    "standing still": Action(
        either(still(Cast.NOBODY, things=1), still(Cast.FIGURE)),
        group="stillness",
        says="A thing or a person is there, and nothing moves but the hand that holds the camera.",
        reverse="standing still",
    )
}
VOCABULARY: dict[str, Action] = (
    THINGS | PAIRS | HANDS | HANDLING | GESTURES | FIGURES | CAMERA | STILL
)
LABELS: tuple[str, ...] = tuple(VOCABULARY)

_SWAPS = {"left": "right", "right": "left"}
_SWAPS |= {"clockwise": "anticlockwise", "anticlockwise": "clockwise"}


def mirrored(label: str) -> str | None:
    """What a motion is called when the picture is mirrored left to right; None: it has no name."""
    name = " ".join(_SWAPS.get(word, word) for word in label.split())
    return name if name in VOCABULARY and not VOCABULARY[label].lopsided else None


def reversed_name(label: str) -> str | None:
    """What a motion is called when time runs backwards; None: it has no name."""
    return VOCABULARY[label].reverse


def _opposites() -> list[tuple[str, str]]:
    pairs: dict[frozenset[str], tuple[str, str]] = {}
    for label in LABELS:
        for other in (reversed_name(label), mirrored(label)):
            if other is not None and other != label:
                pairs.setdefault(frozenset((label, other)), (label, other))
    return list(pairs.values())


OPPOSITES: list[tuple[str, str]] = _opposites()
"""Names that differ by the direction of time, or by left and right; each pair once."""


def build(labels: Tensor, generator: Generator) -> Score:
    """Perform each of `labels` (B,), indices into LABELS, once; the rows keep their order."""
    scores: list[Score] = []
    order: list[Tensor] = []
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        draw = Draw(count=len(rows), generator=generator)
        scores.append(VOCABULARY[LABELS[int(label)]].build(draw))
        order.append(rows)
    return Score.join(scores).rows(torch.cat(order).argsort())
