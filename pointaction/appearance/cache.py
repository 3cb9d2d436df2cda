"""Features that were found once, kept: looking at a clip costs far more than reading them.

    FOLDER/BACKBONE/CLIP.safetensors   digests; tokens in half precision, and their time

Nothing here has to be kept: what is removed is found again.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pointaction.appearance.backbone import Backbone, Features
from pointaction.clip import Clip
from pointaction.errors import InputError


@dataclass(frozen=True, slots=True)
class FeatureCache:
    folder: Path  # made when something is kept

    def features(self, backbone: Backbone, clip: Clip) -> Features:
        """What the backbone finds in the clip, (1, S, C): as kept, else found now and kept.

        The same either way, to the last bit: what is found now is rounded as it is kept.
        """
        kept = self.get(clip.sha256, backbone.digest)
        if kept is None:
            self.put(clip.sha256, backbone.digest, backbone.features(clip.frames))
            kept = self.get(clip.sha256, backbone.digest)
            assert kept is not None
        return kept

    def get(self, clip: str, backbone: str) -> Features | None:
        """What is kept under these digests; None where nothing is, or what is there is damaged."""
        try:
            kept = load_file(self._path(clip, backbone))
            return Features(kept["tokens"].float(), kept["time"].long())
        except (FileNotFoundError, SafetensorError, KeyError):
            return None

    def put(self, clip: str, backbone: str, features: Features) -> None:
        """Keep these; a reader sees the whole file or none, whoever else writes it.

        Raises InputError for features that are not finite in half precision.
        """
        tokens = features.tokens.half()
        if not tokens.isfinite().all():
            raise InputError(
                f"features of clip {clip[:12]} are not finite, so they are not kept; look at the "
                f"weights of backbone {backbone[:12]}, or run it in float32"
            )
        path = self._path(clip, backbone)
        path.parent.mkdir(parents=True, exist_ok=True)
        # small numbers: there are few steps in time
        kept = {"tokens": tokens.contiguous(), "time": features.time.to(torch.int16)}
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        try:
            save_file(kept, part)
            os.chmod(part, 0o644)  # it was made private
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    def _path(self, clip: str, backbone: str) -> Path:
        for digest in (clip, backbone):
            if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
                raise InputError(f"{digest!r} is no SHA-256 in hexadecimal", value=digest)
        return self.folder / backbone / f"{clip}.safetensors"
