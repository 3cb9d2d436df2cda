"""The examples do what they say, with the bundled clip and clips that they draw themselves."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from tests.conftest import Stack

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TOUR = EXAMPLES / "tour.ipynb"


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("classify.py", "moving left\n"),
        ("edge.py", "moving left, "),
        ("episode.py", "like falling/"),
    ],
)
def test_a_script_says_what_is_being_done(stack: Stack, script: str, said: str) -> None:
    command = [sys.executable, str(EXAMPLES / script), "--server", str(stack.client.base_url)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


@pytest.mark.timeout(400)
def test_the_tour_runs_from_top_to_bottom(tmp_path: Path) -> None:
    execute = Path(sysconfig.get_path("scripts")) / "jupyter-execute"
    command = [str(execute), "--output", str(tmp_path / "done.ipynb"), str(TOUR)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "done.ipynb").read_text()
    assert "label='moving left'" in said
    assert "label='moving right'" in said  # in the mirror
    assert "unsupported-clip 415 - " in said


def test_the_tour_is_filed_without_what_it_said() -> None:
    cells = nbformat.read(TOUR, as_version=4).cells
    assert not any(cell.outputs or cell.execution_count for cell in cells if "outputs" in cell)
