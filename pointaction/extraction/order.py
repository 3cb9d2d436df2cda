"""In which order clips of a source are put into a store.

Mixed is by a digest of their keys, which everybody computes alike: whatever file system the clips
lie on, and however often the work is stopped or shared out, it is the same. Folders and lists are
mostly sorted by label, and training shuffles a store some hundred neighbours at a time.

Two kinds of clips stay together as reading needs it. Pieces of one video are neighbours, among
videos that are mixed: whoever follows one reads all of its file once, for its digest and its
packets. Clips in tar files keep their order; who made such files has mixed them.
"""

import hashlib
from collections.abc import Callable, Sequence

from pointaction.choices import chosen
from pointaction.extraction.sources import Wanted
from pointaction.trackstore.manifest import AS_GIVEN, MIXED


def in_order(wanted: Sequence[Wanted], order: str) -> list[Wanted]:
    """The clips of a whole source in the order of that name, as a manifest has it.

    Raises InputError for a name that there is not, as of a later release.
    """
    return chosen(order, _ORDERS)(wanted)


def _mixed(wanted: Sequence[Wanted]) -> list[Wanted]:
    if any(each.inside for each in wanted):
        return list(wanted)
    return sorted(wanted, key=_place)


def _place(wanted: Wanted) -> tuple[bytes, bytes]:
    own = _digest(wanted.key)
    if wanted.cut.start is None and wanted.cut.end is None:
        return own, own
    return _digest(str(wanted.about.get("source", wanted.path))), own


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


_ORDERS: dict[str, Callable[[Sequence[Wanted]], list[Wanted]]] = {AS_GIVEN: list, MIXED: _mixed}
