"""Clips that were made once and are kept to learn from: files of tensors in a folder.

    FOLDER/KIND-SEED-NUMBER.safetensors   16 clips

Shapes:  n clips
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from pointaction.count import Count
from pointaction.errors import InputError
from pointaction.models.digests import digest

CLIPS = 16  # in a file


def read_shelf(folder: Path, kind: str, *, made_by: str) -> tuple[dict[str, Tensor], str]:
    """All clips of a kind, tensors (n, ...) by name, and a word that changes with them.

    InputError, with the command that makes some, where there are none.
    """
    paths = sorted(folder.glob(f"{kind}-*.safetensors"))
    if not paths:
        raise InputError(f"no {kind} in {folder}; make some: {made_by}")
    parts = [load_file(path) for path in paths]
    together = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    digests = "".join(digest(path) for path in paths)
    return together, f"{kind} {hashlib.sha256(digests.encode()).hexdigest()[:12]}"


def shelf_file(folder: Path, kind: str, *, seed: int, number: int) -> Path:
    """Where the clips of a number lie."""
    return folder / f"{kind}-{seed}-{number:05}.safetensors"


def fill_shelf(
    folder: Path,
    make: Callable[[int], None],
    *,
    clips: int,
    progress: Count,
    pool: Executor | None = None,
) -> None:
    """Have files 0, 1, ... made, as many as the clips need; a pool shares the work."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(-(-clips // CLIPS))
    for done, _ in enumerate((pool.map if pool else map)(make, numbers), 1):
        progress(done * CLIPS, len(numbers) * CLIPS)
