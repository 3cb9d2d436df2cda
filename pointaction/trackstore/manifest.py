"""How the tracks of a store were made: the same for all of them, or they are of another store."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pointaction.errors import InputError

NAME = "manifest.json"
FORMAT = 1  # of the store: its files, and what is in them but the tracks
AS_GIVEN, MIXED = "as given", "mixed"  # orders of clips


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What the tracks depend on, besides the clips. Methods as `methods.Used.to_json` tells them.

    A store takes clips of one making only; `notes` are for people and may differ. So may `order`,
    which no tracks depend on: whoever goes on with a store keeps to the one that it was begun with.
    """

    tracker: dict[str, Any]
    points: dict[str, Any]  # how they were chosen
    depth: dict[str, Any] | None  # None: there is none
    tracks: int  # points that were followed in each clip
    sampling: str  # which frames of a clip, in a word
    # Name, digest, sha256, frames, timeless and licence of what found the features beside the
    # tracks, as `appearance.Backbone` tells them; None: there are none.
    backbone: dict[str, Any] | None = None
    # In which clips are put into the store, by a name of `extraction.order`.
    order: str = field(default=AS_GIVEN, compare=False)
    notes: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of all but the order and the notes."""
        return hashlib.sha256(_text(self._compared()).encode()).hexdigest()

    def _compared(self) -> dict[str, Any]:
        told = asdict(self)
        del told["order"], told["notes"]
        return told

    def to_bytes(self) -> bytes:
        """The manifest of a store made so. Equal makings make equal bytes."""
        told = {"format": FORMAT, "digest": self.digest, **asdict(self)}
        return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, of: str) -> "Making":
        """Read the manifest of the store `of`; InputError where it is none that we read."""
        try:
            told = json.loads(data)
            version, digest = told.pop("format"), told.pop("digest")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{of}/{NAME} is not the manifest of a track store") from error
        if version != FORMAT:
            raise InputError(
                f"{of} is a track store of format {version}, this release reads {FORMAT}",
                limit=FORMAT,
                value=version,
            )
        try:
            making = cls(**told)
        except TypeError as error:
            raise InputError(f"{of}/{NAME} is not as this release writes it: {error}") from error
        if making.digest != digest:
            raise InputError(
                f"{of}/{NAME} was changed by hand: it says digest {str(digest)[:12]} and is "
                f"{making.digest[:12]}; put it back as it was, or make the store again",
                limit=digest,
                value=making.digest,
            )
        return making

    def expect(self, other: "Making", *, of: str) -> None:
        """InputError where `other` makes other tracks than those in the store `of`, with all that
        differs.
        """
        before, now = self._compared(), other._compared()
        differing = [
            f"{name} was {_text(before[name])} and is {_text(now[name])}"
            for name in before
            if before[name] != now[name]
        ]
        if differing:
            raise InputError(
                f"{of} holds tracks that were made otherwise: {'; '.join(differing)}. Ask for what "
                "it was begun with, or choose another store"
            )


def _text(told: Any) -> str:
    return json.dumps(told, sort_keys=True, ensure_ascii=False)
