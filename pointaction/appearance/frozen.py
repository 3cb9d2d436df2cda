"""A backbone that is only looked through: an opened network and how to run it.

Shapes:  B clips   T frames   H, W pixels   h, w pixels of the network   S tokens   C width
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pointaction.appearance.backbone import Features
from pointaction.appearance.kinds import Look
from pointaction.appearance.native_input import NativeInput
from pointaction.errors import InputError

_VERSION = "1"  # of what is done here and in `native_input`; in every digest


@dataclass(frozen=True, kw_only=True)
class FrozenBackbone:
    name: str
    sha256: str  # of the weights and whatever says how they are used
    network: nn.Module  # on `device`, ready to answer
    look: Look
    native: NativeInput
    frames: int  # of a clip that are looked at
    tubelet: int | None  # frames of one step in time; None: each frame is seen by itself
    device: str = "cpu"
    precision: torch.dtype = torch.float32  # of the large products; all else stays in float32
    together: int = 16  # frames that are looked at at once; of a clip that is seen whole, all are

    def __post_init__(self) -> None:
        step = self.tubelet or 1
        if self.frames < step or self.frames % step:
            raise InputError(
                f"{self.name} takes frames in steps of {step}; give a multiple of it instead of "
                f"{self.frames}"
            )

    @property
    def digest(self) -> str:
        """SHA-256 of everything that its features depend on beside the clip."""
        parts = (self.sha256, str(self.native), str(self.frames), str(self.precision), _VERSION)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def timeless(self) -> bool:
        """Frame by frame nothing tells one moment from another."""
        return self.tubelet is None

    def features(self, clips: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Features:
        """Tokens of a clip (T, H, W, 3), RGB, or of several of any lengths and sizes.

        They come from `frames` frames of each, evenly spread from the first to the last, and lie
        on the CPU: step by step in time, and within a step CLS first, where there is one, then
        patches row by row. Raises InputError for what is no clip, and for clips that have other
        numbers of tokens, as those of other proportions may.
        """
        batch = [clips] if isinstance(clips, np.ndarray) and clips.ndim == 4 else list(clips)
        with torch.no_grad():  # not inference_mode: a probe is to be trained on these
            pictures = [
                self.native.pictures(torch.from_numpy(self._chosen(frames)).to(self.device))
                for frames in batch
            ]  # each (T, 3, h, w)
            if len({each.shape for each in pictures}) != 1:
                raise InputError(
                    f"{self.name} keeps proportions, and these clips differ in them; give them "
                    "one at a time"
                    if pictures
                    else "there are no clips to look at; give at least one"
                )
            tokens = self._tokens(torch.stack(pictures))
        steps = self.frames // (self.tubelet or 1)
        time = torch.arange(steps).repeat_interleave(tokens.shape[1] // steps)
        return Features(tokens.float().cpu(), time)

    def _tokens(self, clips: Tensor) -> Tensor:
        """(B, S, C) from clips (B, T, 3, h, w)."""
        whole = self.tubelet is not None
        seen = clips if whole else clips.flatten(0, 1)
        group = max(1, self.together // self.frames) if whole else self.together
        enabled = self.precision != torch.float32
        with torch.autocast(torch.device(self.device).type, self.precision, enabled=enabled):
            found = torch.cat([self.look(self.network, part) for part in seen.split(group)])
        return found if whole else found.unflatten(0, clips.shape[:2]).flatten(1, 2)

    def _chosen(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise InputError(
                f"a clip must be uint8 (T, H, W, 3) with a frame at least, got {frames.dtype} "
                f"{frames.shape}"
            )
        return frames[np.linspace(0, len(frames) - 1, self.frames).round().astype(int)]
