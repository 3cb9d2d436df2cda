"""A few small clips to try things with, each with a still picture of it.

    python -m pointaction.synthetic.gallery service/web/samples

writes those that the page offers. The same files come out every time.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import av
import cv2

from pointaction.synthetic.sample import write_sample

_SIDE = 256  # pixels of the longer side
_STILL_SIDE = 192


@dataclass(frozen=True, slots=True)
class Piece:
    name: str  # of its files
    motion: str
    seed: int


# Seeds under which a motion is easily seen, by people too.
PIECES = (
    Piece("jumping_jacks", "doing jumping jacks", 1),
    Piece("squatting_down", "squatting down", 1),
    Piece("opening_a_lid", "opening a lid by hand", 1),
    *(
        Piece(f"{motion}_{number}", motion, seed)
        for motion in ("falling", "bouncing")
        for number, seed in enumerate((1, 6, 5), 1)
    ),
)


def write_gallery(folder: Path) -> None:
    """Write an mp4 and a jpg of every piece into `folder`, named by it."""
    folder.mkdir(parents=True, exist_ok=True)
    for piece in PIECES:
        clip = folder / f"{piece.name}.mp4"
        write_sample(piece.motion, clip, seed=piece.seed, side=_SIDE)
        _write_still(clip, clip.with_suffix(".jpg"))


def _write_still(clip: Path, path: Path) -> None:
    """The frame in the middle of a clip."""
    with av.open(str(clip)) as file:
        frames = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    still = frames[len(frames) // 2]
    scale = _STILL_SIDE / max(still.shape[:2])
    small = cv2.resize(still, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, 80])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    write_gallery(parser.parse_args().folder)


if __name__ == "__main__":
    main()
