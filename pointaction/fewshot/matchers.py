"""Which matchers there are. The registries are dicts; adding one is an entry here."""

from collections.abc import Callable

from torch import nn

from pointaction.choices import chosen
from pointaction.errors import InputError
from pointaction.fewshot.linear_probe import LinearProbe
from pointaction.fewshot.matcher import Matcher
from pointaction.fewshot.otam import OTAM
from pointaction.fewshot.prototypes import NearestPrototype
from pointaction.fewshot.sets import SetMatching
from pointaction.fewshot.trokens_matching import TrokensMatching
from pointaction.fewshot.tuples import EnrichedMatching, TupleMatching
from pointaction.models.strm import STRM
from pointaction.models.trokens import Trokens
from pointaction.models.trx import TRX

MATCHERS: dict[str, Callable[[], Matcher]] = {
    "prototype": NearestPrototype,
    "linear-probe": LinearProbe,
    "otam": OTAM,
    "sets": SetMatching,
    "trx": TupleMatching,
}
"""Those that need no training: on any encoder that gives the part they compare. `heads` tells of
them in words, without torch."""


def trained_matcher(head: nn.Module) -> Matcher:
    """The matcher that a trained head is for; InputError where it is for none."""
    if isinstance(head, TRX):
        return TupleMatching(head=head)
    if isinstance(head, STRM):
        return EnrichedMatching(head)
    if isinstance(head, Trokens):
        return TrokensMatching(head)
    raise InputError(f"{type(head).__name__} is no head of a matcher; TRX, STRM and Trokens are")


def open_matcher(name: str) -> Matcher:
    """The matcher called `name`; InputError names the ones there are."""
    return chosen(name, MATCHERS)()
