"""DESIGN section 1: imports point one way, and the web process never loads torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_NOT_IMPORT = {
    "pointaction": {"workers", "service", "celery", "redis", "fastapi", "starlette"},
    "workers": {"service", "fastapi", "starlette"},
    "service": {"torch"},
}
HEAVY = {"torch", "cv2", "av", "transformers"}


def imported_packages(folder: Path) -> set[str]:
    nodes = [
        node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))
    ]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    sourced = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in plain | sourced}


@pytest.mark.parametrize("package", MAY_NOT_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    assert not imported_packages(ROOT / package) & MAY_NOT_IMPORT[package]


@pytest.mark.parametrize("module", ["service.app", "workers.queue", "workers.launch"])
def test_neither_the_web_nor_a_worker_before_its_fork_loads_torch(module: str) -> None:
    program = f"import sys, {module}; print(*(sys.modules.keys() & {HEAVY!r}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == []


def test_the_library_needs_only_torch_numpy_and_safetensors() -> None:
    """On a GPU machine it is imported from a checkout, with nothing else installed."""
    program = """
import sys
allowed = {"torch", "numpy", "safetensors", "pointaction"}
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name in {"cv2", "av", "typer", "rich", "httpx", "pydantic", "redis", "transformers"}:
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
import pointaction.models.store, pointaction.synthetic.batches, pointaction.synthetic.render
import pointaction.depth.looming, pointaction.training.loop, pointaction.tracks
import pointaction.depth.lifter, pointaction.depth.depth_anything, pointaction.models.networks
import pointaction.models.trajectorynet, pointaction.models.emim, pointaction.models.fusion
import pointaction.motion.from_tracks, pointaction.motion.learned, pointaction.appearance.backbones
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
