from dataclasses import replace
from pathlib import Path
from shutil import copy

import pytest
import torch

from pointaction.appearance.frozen import FrozenBackbone
from pointaction.appearance.stored import open_stored
from pointaction.errors import DamagedWeights
from pointaction.fewshot.heads import HEADS
from pointaction.models.catalog import (
    APPEARANCE,
    CLASSIFICATION,
    DEFAULT_STORE,
    FEWSHOT,
    Entry,
    find,
    read_catalog,
)
from pointaction.models.store import BUILDERS, load_head, load_model
from pointaction.motion.network_input import FRAMES, SIDE
from pointaction.synthetic.vocabulary import LABELS, reversed_name
from pointaction.video_networks import VideoRecogniser
from tests.pointaction.models.stores import small_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return small_store(tmp_path)


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


SHIPPED = read_catalog(DEFAULT_STORE)
ANSWERING = [(name, each) for name, each in SHIPPED.items() if each.task == CLASSIFICATION]


def test_a_head_that_is_another_than_the_catalogue_says_is_refused(tmp_path: Path) -> None:
    head = SHIPPED["strm"]
    (tmp_path / "strm").mkdir()
    copy(DEFAULT_STORE / head.file, tmp_path / head.file)
    with pytest.raises(DamagedWeights, match="holds strm, but the catalogue says trx"):
        load_head(tmp_path, replace(head, builder="trx"))


@pytest.mark.parametrize("entry", [each for each in SHIPPED.values() if each.task == FEWSHOT])
def test_every_head_that_is_shipped_is_what_the_catalogue_says(entry: Entry) -> None:
    assert entry.labels == ()
    network = load_head(DEFAULT_STORE, entry)
    assert entry.parameters == sum(part.numel() for part in network.parameters())
    assert (DEFAULT_STORE / entry.card).is_file()
    assert entry.name in HEADS


def test_the_backbone_that_is_shipped_is_what_the_catalogue_says() -> None:
    (entry,) = (each for each in SHIPPED.values() if each.task == APPEARANCE)
    backbone = open_stored(DEFAULT_STORE, entry.name)
    assert isinstance(backbone, FrozenBackbone)
    network = backbone.network
    assert entry.parameters == sum(part.numel() for part in network.parameters())
    assert (DEFAULT_STORE / entry.card).is_file()


@pytest.mark.parametrize("name", [name for name, each in ANSWERING if not each.follows])
def test_the_networks_of_pixels_that_are_shipped_are_what_the_catalogue_says(name: str) -> None:
    entry = find(DEFAULT_STORE, name)
    network = VideoRecogniser.open(DEFAULT_STORE, entry).network
    assert set(entry.labels) <= set(LABELS)
    assert {reversed_name(label) for label in entry.labels} == set(entry.labels)
    assert entry.parameters == sum(part.numel() for part in network.parameters())
    assert (DEFAULT_STORE / entry.card).is_file()
    assert (entry.inputs["pixels"], entry.inputs["frames"]) == (SIDE, FRAMES)


@pytest.mark.parametrize("name", [name for name, each in ANSWERING if each.follows])
def test_what_is_shipped_is_what_the_catalogue_says(name: str) -> None:
    entry = find(DEFAULT_STORE, name)
    model = load_model(DEFAULT_STORE, entry)
    assert entry.labels == LABELS
    assert entry.builder in BUILDERS
    assert entry.parameters == sum(part.numel() for part in model.parameters())
    assert (DEFAULT_STORE / entry.card).is_file()
    assert entry.inputs["frames"] == model.encoder.config.frames
