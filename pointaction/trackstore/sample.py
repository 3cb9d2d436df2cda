"""One clip on its way into a store.

In a shard it is up to three members, by WebDataset's rule that what stands before the first dot of
a name tells what belongs together:

    KEY.tracks     as `encoding` writes them
    KEY.features   of a backbone, where there are any; as `features` packs them
    KEY.json       the label and the rest, and the SHA-256 of the others; always the last, so that
                   a clip is there once this one is
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pointaction.errors import InputError
from pointaction.tracks import Tracks
from pointaction.trackstore.encoding import encode
from pointaction.trackstore.features import StoredFeatures

TRACKS, FEATURES, JSON = "tracks", "features", "json"
_KEY = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_LONGEST_KEY = 100 - len(FEATURES) - 1  # a name in a tar file has 100 characters


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A clip's tracks with what is known of it."""

    key: str  # letters, digits, - and _, with / between; no dot
    tracks: Tracks
    label: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)  # what JSON can hold
    features: StoredFeatures | None = None  # of the store's backbone, where it has one

    def members(self) -> dict[str, bytes]:
        """Its members by their suffixes, in the order in which they are written.

        Raises InputError for a key that no shard can hold, and as `encode` does.
        """
        check_key(self.key)
        parts = {TRACKS: encode(self.tracks)}
        if self.features is not None:
            parts[FEATURES] = self.features.pack()
        count, frames = self.tracks.visible.shape
        told = {
            "key": self.key,
            "label": self.label,
            "tracks": count,
            "frames": frames,
            "size": list(self.tracks.size),
            "duration_s": self.tracks.duration_s,
            "features": list(self.features.shape) if self.features else None,
            "about": dict(self.about),
            "sha256": {suffix: hashlib.sha256(data).hexdigest() for suffix, data in parts.items()},
        }
        text = json.dumps(told, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return parts | {JSON: text.encode()}


def check_key(key: str) -> None:
    """InputError for a key that no shard can hold."""
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise InputError(
            f"{key!r} is no key: letters, digits, - and _, with / between, and at most "
            f"{_LONGEST_KEY} of them; take a digest where there is no such name",
            limit=_LONGEST_KEY,
            value=key,
        )
