"""Two processes learn from one store: each reads shards of its own, and together they do what one
does alone.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.store import TrackStore
from pointaction.training.loop import Run, optimise
from pointaction.training.objectives import recognise
from tests.pointaction.training.stored import WAYS, store_of
from tests.pointaction.training.test_loop import ROOT, silent, told
from tests.pointaction.training.worlds import FRAMES, recipe, tiny

PROGRAM = """
import json, os, sys
from pathlib import Path
import torch
from tests.pointaction.training.test_store_processes import learn

torch.set_num_threads(1)
_, read = learn(Path(sys.argv[1]), Path(sys.argv[2]))
Path(sys.argv[2], f"read{os.environ['RANK']}.json").write_text(json.dumps(sorted(read)))
"""


def learn(clips: Path, folder: Path) -> tuple[Run, set[int]]:
    """Eight steps of two batches of four out of eight lanes; the shards that were read here."""
    store = TrackStore(clips)
    read: set[int] = set()
    plain = store.read_rows

    def noted(shard: int, rows: list[int], suffix: str = "tracks") -> list[bytes]:
        read.add(shard)
        return plain(shard, rows, suffix)

    store.read_rows = noted  # type: ignore[assignment,method-assign]
    run = Run(recipe=recipe(8, accumulate=2), folder=folder, workers=0)
    batches = StoreBatches(
        store, WAYS, batch=4, frames=FRAMES, sizes=(8,), seed=1, lanes=8, window=4
    )
    model = tiny(dropout=0)
    optimise(run, model, recognise(model, label_smoothing=0, contrast=0), batches, silent)
    return run, read


@pytest.mark.timeout(300)  # two interpreters load torch at once
def test_each_reads_its_own_shards_and_the_losses_are_those_of_one(tmp_path: Path) -> None:
    """Of 64 clips in 16 shards each of eight lanes has two, and 16 batches are an epoch."""
    store_of(tmp_path / "clips", 64)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = tmp_path / "together"
    together.mkdir()
    plain = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    plain |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "clips"), str(together)],
            env=plain | {"RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in running:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    one, other = (set(json.loads((together / f"read{rank}.json").read_text())) for rank in range(2))
    assert len(one) == len(other) == 8
    assert not one & other
    with torch.random.fork_rng():
        alone, read = learn(tmp_path / "clips", tmp_path / "alone")
    assert read == one | other == set(range(16))
    beside = Run(recipe=alone.recipe, folder=together)
    for name in ("loss", "right"):
        assert told(beside, name) == pytest.approx(told(alone, name), rel=1e-4)
