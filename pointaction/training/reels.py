"""Performances that were drawn once, small and with their motion, for networks that see pixels.

To draw a clip costs as much as to learn from it several times, so reels are made once and each is
seen many times, cut out, lit, turned round and mirrored in other ways.

    FOLDER/training/reels-SEED-NUMBER.safetensors   16 clips: frames, motion, labels
    FOLDER/held-out/...                             likewise, for tests

Every identity (a body, a room, things, their colours and textures) performs several motions, and
each of those with its opposite: no look tells what is done. Held-out reels have a chance of their
own, far from that of any training.

Shapes:  n clips   T frames   S pixels a side   s cells of motion a side
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor

from pointaction.clip import Clip
from pointaction.count import Count
from pointaction.evaluation.performances import HELD_OUT_SEED
from pointaction.motion.network_input import FRAMES, squares
from pointaction.synthetic.filming import SECONDS
from pointaction.synthetic.render import render
from pointaction.synthetic.stage import sample_scenes
from pointaction.synthetic.vocabulary import LABELS
from pointaction.training import shelf
from pointaction.training.shelf import fill_shelf, read_shelf, shelf_file
from pointaction.whole import written_whole

TRAINING, HELD_OUT = "training", "held-out"  # folders
PAIRS = (
    ("moving left", "moving right"),
    ("moving up", "moving down"),
    ("moving towards the camera", "moving away from the camera"),
    ("turning clockwise", "turning anticlockwise"),
    ("swiping to the left", "swiping to the right"),
    ("drawing a circle clockwise", "drawing a circle anticlockwise"),
    ("picking up a thing", "putting down a thing"),
    ("raising both arms", "lowering both arms"),
)
"""What is on reels; each is the other, played backwards."""

_KIND = "reels"
_PERFORMANCES = 4  # of each identity
_DRAWN = 160  # pixels of the longer side, as drawn
_SEED = 7_000_000_000
_HELD_OUT = 500_000_000  # on top of HELD_OUT_SEED


@dataclass(frozen=True, slots=True, kw_only=True)
class Reels:
    """Clips with a label each, as `motion.network_input` makes them."""

    frames: Tensor  # (n, T, S, S, 3) uint8 RGB
    motion: Tensor  # (n, 4, T, s, s) float16, pixels
    label: Tensor  # (n,) indices into `labels`
    labels: tuple[str, ...]
    name: str  # changes with the clips

    @classmethod
    def read(cls, folder: Path) -> "Reels":
        """All reels in a folder; InputError where there are none."""
        found, name = read_shelf(folder, _KIND, made_by=f"pointaction reels --out {folder.parent}")
        shown, own = found.pop("label").unique(return_inverse=True)
        labels = tuple(LABELS[number] for number in shown.tolist())
        return cls(**found, label=own, labels=labels, name=name)

    def __len__(self) -> int:
        return len(self.label)


def make_reels(
    folder: Path,
    *,
    clips: int,
    seed: int,
    progress: Count,
    held_out: bool = False,
    pool: Executor | None = None,
) -> None:
    """Draw clips, 16 to a file and as many of each motion; files that are there are left alone.

    held_out: for tests, not for training.
    """
    make = partial(_make_file, folder, (HELD_OUT_SEED + _HELD_OUT if held_out else _SEED), seed)
    fill_shelf(folder, make, clips=clips, progress=progress, pool=pool)


def _make_file(folder: Path, base: int, seed: int, number: int) -> None:
    from pointaction.motion.dis import DenseInverseSearch  # OpenCV: not where we only train

    path = shelf_file(folder, _KIND, seed=seed, number=number)
    if path.exists():
        return
    generator = Generator().manual_seed(base + seed * 1_000_003 + number)
    motions = torch.tensor([LABELS.index(name) for pair in PAIRS for name in pair])
    label = motions[(number * shelf.CLIPS + torch.arange(shelf.CLIPS)) % len(motions)]
    identity = torch.arange(shelf.CLIPS) // _PERFORMANCES
    scenes = sample_scenes(label, frames=FRAMES, generator=generator, identity=identity)
    frames, motion = [], []
    for row in range(shelf.CLIPS):
        drawn = render(scenes, row, side=_DRAWN, generator=generator)
        small = squares(Clip.from_frames(drawn, fps=FRAMES / SECONDS), DenseInverseSearch())
        frames.append(torch.from_numpy(small.frames))
        motion.append(torch.from_numpy(small.motion).half())
    clips = {"frames": torch.stack(frames), "motion": torch.stack(motion), "label": label}
    with written_whole(path) as unfinished:
        save_file(clips, unfinished)
