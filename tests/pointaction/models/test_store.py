from pathlib import Path

import pytest
import torch

from pointaction.errors import DamagedWeights, UnknownModel
from pointaction.models.catalog import DEFAULT_STORE, find, read_catalog
from pointaction.models.store import BUILDERS, load_model
from pointaction.models.traction import traction_tiny
from pointaction.synthetic.motions import LABELS
from pointaction.training.checkpoints import export_weights

TABLE = """
[models.small]
version = "1"
task = "classification"
builder = "traction_tiny"
file = "small.safetensors"
sha256 = "{digest}"
licence = "Apache-2.0"
commercial_use = true
source = "a test"
parameters = 1
labels = "labels.txt"
inputs = {{ tracks = 512, frames = 32 }}
card = "small.md"
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    digest = export_weights(traction_tiny(3), tmp_path / "small.safetensors")
    (tmp_path / "catalog.toml").write_text(TABLE.format(digest=digest))
    (tmp_path / "labels.txt").write_text("up\ndown\nstill\n")
    return tmp_path


def test_an_entry_has_its_labels_and_digest(store: Path) -> None:
    entry = find(store, "small")
    assert entry.labels == ("up", "down", "still")
    assert len(entry.digest) == 64


def test_an_unknown_name_is_answered_with_the_known_ones(store: Path) -> None:
    with pytest.raises(UnknownModel, match="no model 'large' in the store; it has small"):
        find(store, "large")


def test_weights_come_back_in_float32_and_answer(store: Path) -> None:
    model = load_model(store, find(store, "small"))
    assert model.head.weight.dtype == torch.float32
    assert not model.training


def test_one_changed_byte_is_refused(store: Path) -> None:
    path = store / "small.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedWeights, match="fetch it again"):
        load_model(store, find(store, "small"))


def test_a_store_without_catalogue_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="POINTACTION_MODEL_STORE"):
        read_catalog(tmp_path)


@pytest.mark.parametrize("name", read_catalog(DEFAULT_STORE))
def test_what_is_shipped_is_what_the_catalogue_says(name: str) -> None:
    entry = find(DEFAULT_STORE, name)
    model = load_model(DEFAULT_STORE, entry)
    assert entry.labels == LABELS
    assert entry.builder in BUILDERS
    assert entry.parameters == sum(part.numel() for part in model.parameters())
    assert (DEFAULT_STORE / entry.card).is_file()
    assert entry.inputs["frames"] == model.encoder.config.frames
