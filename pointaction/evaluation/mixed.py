"""Labels of two halves: what is done, and what it looks like. Neither branch knows both.

Some identities (a body, a room, things, their colours and textures) perform some motions, each
with its opposite; a label is a motion by an identity. The performances differ in pace, place,
way, camera and in what else is about. Tracks do not tell identities apart, and frames hardly tell
motions apart, so whether late fusion brings anything is seen here.

Clips are drawn and followed by the real tracker, and kept:

    FOLDER/mixed-SET-NUMBER.safetensors   20 clips: tracks on a model's clock, and some frames

Shapes:  n clips   N tracks   T frames   F pictures   H, W pixels   S tokens   C, D widths
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor

from pointaction.clip import Clip
from pointaction.count import Count
from pointaction.evaluation.performances import FRAMES, HELD_OUT_SEED, Programme
from pointaction.synthetic.filming import SIDE, film
from pointaction.synthetic.scenes import Scenes
from pointaction.synthetic.vocabulary import LABELS
from pointaction.whole import written_whole

MOTIONS = (
    "moving left",
    "moving right",
    "moving up",
    "moving down",
    "turning clockwise",
    "turning anticlockwise",
    "swiping to the left",
    "swiping to the right",
    "drawing a circle clockwise",
    "drawing a circle anticlockwise",
)
PICTURES = 8  # of a clip, evenly spread
_LONGER_SIDE = 224  # pixels of a picture that is kept, at most
_CLIPS = 20  # in a file
_DRAWING = 400_000_000  # on top of HELD_OUT_SEED: far from what is performed


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Which clips there are. All identities come from one draw, so equal ones are equal clips."""

    motions: tuple[str, ...] = MOTIONS
    identities: int = 5
    taught: int = 8  # performances of each label that both branches learn from
    fused: int = 8  # and of those that the layer above them learns from
    tested: int = 4  # and of those that all are tested on
    points: int = 256
    side: int = SIDE  # pixels of the drawn picture's longer side
    seed: int = 0

    @property
    def classes(self) -> int:
        return len(self.motions) * self.identities

    @property
    def labels(self) -> Tensor:
        """(n,) motion * identities + identity; performance by performance, all labels of each."""
        return torch.arange(self.classes).repeat(self.taught + self.fused + self.tested)

    @property
    def motion(self) -> Tensor:
        """(n,) indices into `motions`."""
        return self.labels // self.identities

    @property
    def identity(self) -> Tensor:
        """(n,)"""
        return self.labels % self.identities

    @property
    def parts(self) -> tuple[slice, slice, slice]:
        """Which clips are taught, fused and tested."""
        first, second = self.classes * self.taught, self.classes * (self.taught + self.fused)
        return slice(0, first), slice(first, second), slice(second, None)

    @property
    def name(self) -> str:
        """Changes with the clips."""
        return hashlib.sha256(repr(sorted(asdict(self).items())).encode()).hexdigest()[:12]

    @property
    def programme(self) -> Programme:
        motion = torch.tensor([LABELS.index(name) for name in self.motions])[self.motion]
        return Programme(labels=motion, seed=self.seed, identity=self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The clips as both branches take them."""

    geometry: Tensor  # (n, N, T, 3)
    visible: Tensor  # (n, N, T) bool
    pictures: tuple[NDArray[np.uint8], ...]  # n of (F, H, W, 3) RGB


def watch_mixed(
    mixed: Mixed, folder: Path, *, progress: Count, pool: Executor | None = None
) -> Watched:
    """Draw and follow what is not in the folder yet, and read it all."""
    folder.mkdir(parents=True, exist_ok=True)
    count = len(mixed.labels)
    paths = [folder / f"mixed-{mixed.name}-{part:03}.safetensors" for part in _parts(count)]
    make = partial(_make, mixed)
    for done, _ in enumerate((pool.map if pool else map)(make, _parts(count), paths), 1):
        progress(min(done * _CLIPS, count), count)
    files = [load_file(path) for path in paths]
    return Watched(
        geometry=torch.cat([file["geometry"] for file in files]),
        visible=torch.cat([file["visible"] for file in files]),
        pictures=tuple(
            file[f"pictures.{place}"].numpy() for file in files for place in range(len(file) - 2)
        ),
    )


@lru_cache(maxsize=1)  # a process makes several files of them
def _scenes(mixed: Mixed) -> Scenes:
    return mixed.programme.stage(0)[0]


def _parts(count: int) -> range:
    return range(-(-count // _CLIPS))


def _make(mixed: Mixed, part: int, path: Path) -> None:
    """The file of one part, unless it is there."""
    from pointaction.pipeline import inputs, track_clip

    if path.exists():
        return
    rows = range(len(mixed.labels))[part * _CLIPS : (part + 1) * _CLIPS]
    scenes = _scenes(mixed)
    seen, pictures = [], {}
    for place, row in enumerate(rows):
        chance = Generator().manual_seed(HELD_OUT_SEED + _DRAWING + mixed.seed * 1_000_003 + row)
        clip = film(scenes, row, side=mixed.side, generator=chance)
        seen.append(inputs(track_clip(clip, tracks=mixed.points), FRAMES))
        pictures[f"pictures.{place}"] = torch.from_numpy(_pictures(clip))
    geometry, visible = (torch.cat(each).contiguous() for each in zip(*seen, strict=True))
    with written_whole(path) as unfinished:
        save_file({"geometry": geometry, "visible": visible} | pictures, unfinished)


def _pictures(clip: Clip) -> NDArray[np.uint8]:
    """Some of its frames (F, H, W, 3), small."""
    import cv2

    chosen = np.linspace(0, len(clip.frames) - 1, PICTURES).round().astype(int)
    height, width = clip.size
    scale = min(1.0, _LONGER_SIDE / max(height, width))
    size = round(width * scale), round(height * scale)
    small: Sequence[NDArray[np.uint8]] = [
        cv2.resize(clip.frames[number], size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        for number in chosen
    ]
    return np.stack(small)
