import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pointaction.errors import InputError
from pointaction.training.processes import Place
from tests.pointaction.training.test_loop import ROOT, assert_equal, learn, told
from tests.pointaction.training.worlds import small_run

PROGRAM = """
import os, sys
from pathlib import Path
import torch
from tests.pointaction.training.test_loop import learn
from tests.pointaction.training.worlds import small_run

folder, rank = Path(sys.argv[1]), os.environ["RANK"]
seen = []
weights = learn(small_run(folder, 4, accumulate=2), lambda step, told: seen.append(step))
assert seen == ([1, 2, 3, 4] if rank == "0" else []), "only the first process reports"
torch.save(weights, folder / f"rank{rank}.pt")
"""


@pytest.mark.timeout(300)  # three interpreters load torch at once
def test_two_processes_do_together_what_one_does_alone(tmp_path: Path) -> None:
    """Each takes every other batch, with the same dropout as if one process took them all."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", "2", program, tmp_path],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))
    assert_equal(first, second)
    alone = small_run(tmp_path / "alone", 4, accumulate=2)
    together = replace(alone, folder=tmp_path)
    assert_equal(learn(alone), first, atol=1e-3)
    for name in ("loss", "right"):
        assert told(together, name) == pytest.approx(told(alone, name), rel=1e-5)


def test_a_share_must_be_even() -> None:
    place = Place(rank=1, count=2, device=torch.device("cpu"))
    assert list(place.share(4)) == [1, 3]
    with pytest.raises(InputError, match="--accumulate a multiple of 2"):
        place.share(3)
