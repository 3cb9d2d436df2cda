"""Reference outputs: whole, where they lie beside the checkout, and small ones that always do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).parents[2] / "shared"

Arrays = dict[str, NDArray[Any]]

needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the reference outputs are not beside the checkout"
)


def recorded(name: str) -> Arrays:
    """Of `tests/data`: samples of reference outputs."""
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def reference(name: str) -> Arrays:
    """Reference outputs in full."""
    with np.load(SHARED / "golden" / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)
