"""What a backbone finds in clips, found once and kept.

Shapes:  B clips   S tokens   C width
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pointaction.appearance.backbone import Backbone
from pointaction.appearance.cache import FeatureCache
from pointaction.clip import Clip
from pointaction.count import Count
from pointaction.errors import InputError, PointActionError
from pointaction.training.clip_folder import LabelledClip
from pointaction.video.cut import WHOLE, Cut, decode_cut, file_digest


@dataclass(frozen=True, kw_only=True)
class LookedClips:
    """Clips with the tokens that a backbone found in them, read when they are asked for."""

    clips: Sequence[LabelledClip]
    digests: Sequence[str]  # of the clips, as `clip_digest`
    cache: FeatureCache
    backbone: str  # its digest
    time: Tensor  # (S,)
    width: int

    def tokens(self, rows: Tensor) -> Tensor:
        """Those of some clips (B,), as (B, S, C). Raises InputError where they are gone."""
        return torch.cat([self._tokens(self.digests[row]) for row in rows.tolist()])

    def _tokens(self, digest: str) -> Tensor:
        kept = self.cache.get(digest, self.backbone)
        if kept is None:
            raise InputError(
                f"the features of clip {digest[:12]} are gone from {self.cache.folder}; run again, "
                "and they are found anew"
            )
        return kept.tokens


def look_at_clips(
    clips: Sequence[LabelledClip],
    backbone: Backbone,
    cache: FeatureCache,
    *,
    progress: Count,
    failed: Callable[[Path, Exception], None],
) -> LookedClips:
    """Look at the clips that nothing is kept of yet; one that cannot be read is told to `failed`
    and left out. Raises InputError where none can be.
    """
    seen, digests = [], []
    for done, clip in enumerate(clips, 1):
        try:
            digest = clip_digest(clip.path, clip.cut)
            if cache.get(digest, backbone.digest) is None:
                frames = decode_whole(clip.path, clip.cut).frames
                cache.put(digest, backbone.digest, backbone.features(frames))
            seen.append(clip)
            digests.append(digest)
        except (PointActionError, OSError) as error:
            failed(clip.path, error)
        progress(done, len(clips))
    if not seen:
        raise InputError("none of the clips can be looked at; the lines above say why")
    first = cache.get(digests[0], backbone.digest)
    assert first is not None  # it has just been kept
    return LookedClips(
        clips=seen,
        digests=digests,
        cache=cache,
        backbone=backbone.digest,
        time=first.time,
        width=first.tokens.shape[-1],
    )


def decode_whole(path: Path, cut: Cut) -> Clip:
    """The clip of a cut, with a digest of its own. InputError for a file of tracks."""
    if path.suffix.lower() == ".npz":
        raise InputError(f"{path} holds tracks, and there are no pixels in them to look at")
    return decode_cut(path, cut, sha256=clip_digest(path, cut))


def clip_digest(path: Path, cut: Cut) -> str:
    """That of the file, where the clip is all of it; else of the file and the cut."""
    whole = file_digest(path)
    return whole if cut == WHOLE else hashlib.sha256(f"{whole}{cut}".encode()).hexdigest()
