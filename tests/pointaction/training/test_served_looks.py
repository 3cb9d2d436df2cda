"""From clips to a store, and from the store to models that are served: dark and light clips."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pointaction.clip import Clip
from pointaction.errors import InputError
from pointaction.extraction.follower import How
from pointaction.extraction.looks import Looks
from pointaction.extraction.sources import read_source
from pointaction.models.catalog import find
from pointaction.models.fusion import load_probe
from pointaction.pipeline import track_clip
from pointaction.recognisers import open_recogniser
from pointaction.trackstore.sample import Sample
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter
from pointaction.video.decode import decode
from tests.pointaction.models.stores import probe_store, small_store
from tests.pointaction.training.lit_clips import LABELS, write_clips
from tests.pointaction.training.test_finetune_store import run


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of each label."""
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with the model `small` and the backbone `looks`."""
    folder = tmp_path_factory.mktemp("models")
    probe_store(folder)
    looks = (folder / "catalog.toml").read_text().split("[models.seen]")[0]
    small_store(folder)
    with (folder / "catalog.toml").open("a") as catalog:
        catalog.write(looks)
    return folder


@pytest.fixture(scope="module")
def stored(clips: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their tracks and features, as `pointaction extract` keeps them."""
    folder = tmp_path_factory.mktemp("stored")
    how = How(tracks=16, features="looks", models=models)
    looks = Looks("looks", models, how.running)
    with StoreWriter(TrackStore.create(folder, how.making())) as writer:
        for wanted in read_source(clips):
            clip = decode(wanted.path)
            writer.add(
                Sample(
                    key=wanted.key,
                    tracks=track_clip(clip, tracks=16),
                    label=wanted.label,
                    features=looks.features(clip),
                )
            )
    return folder


@pytest.fixture(scope="module")
def taught(
    stored: Path, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., str]:
    """`finetune` of the store under a name; runs lie beside each other."""
    out = tmp_path_factory.mktemp("runs")

    def finetune(name: str, *words: object) -> str:
        how = ("--batch", 4, "--tracks", 16, "--workers", 0, "--store", models, "--out", out)
        return run("finetune", stored, "--name", name, *how, *words)

    finetune("ways", "--from", "small", "--steps", 2)
    finetune("seen", "--probe", "looks", "--steps", 40, "--learning-rate", 1e-2)
    probe = out / "finetune-seen-seed1" / "weights.safetensors"
    finetune("both", "--fuse", "looks", "--from", "ways", "--probe-weights", probe, "--steps", 4)
    return finetune


@pytest.fixture(scope="module")
def dark(clips: Path) -> Clip:
    return decode(clips / "dark to the left" / "0.mp4")


def test_a_probe_of_a_store_is_served(taught: Callable[..., str], models: Path, dark: Clip) -> None:
    """As one of a folder of clips: see test_finetune_looks."""
    entry = find(models, "seen")
    assert entry.labels == tuple(LABELS)
    assert (entry.follows, entry.looks, entry.licence) == (False, True, "Apache-2.0")
    assert entry.inputs == {"pixels": "16 frames through looks"}
    seen = open_recogniser(models, "seen").recognise(None, dark)
    assert next(iter(seen.scores)) == "dark to the left"
    card = (models / entry.card).read_text()
    assert "| light to the right | 3 | 1 |" in card
    assert "Top-1 on the clips kept for validation" in card


def test_a_fusion_of_a_store_is_served(
    taught: Callable[..., str], models: Path, dark: Clip
) -> None:
    entry = find(models, "both")
    assert (entry.follows, entry.looks) == (True, True)
    assert entry.inputs["tracks"] == 16
    assert entry.source.startswith("ways, fused with a probe on looks, trained on clips of 2")
    seen = open_recogniser(models, "both").recognise(track_clip(dark, tracks=16), dark)
    assert set(seen.branches) == {"motion", "appearance"}
    assert next(iter(seen.branches["appearance"])) == "dark to the left"


def test_a_name_is_taken_once_and_another_version_comes_beside_it(
    taught: Callable[..., str], models: Path
) -> None:
    again = ("--probe", "looks", "--steps", 40, "--learning-rate", 1e-2)
    with pytest.raises(InputError, match="has a model 'seen'; choose another --name"):
        taught("seen", *again)
    said = taught("seen", *again, "--replace")
    assert "seen 2: 2 labels" in said
    first, second = (load_probe(models / find(models, name).file) for name in ("seen@1", "seen"))
    assert torch.equal(first.query, second.query)  # of the same run


def test_what_is_not_to_be_registered_is_not(taught: Callable[..., str], models: Path) -> None:
    before = (models / "catalog.toml").read_text()
    assert "weights: " in taught("alone", "--probe", "looks", "--steps", 1, "--no-register")
    assert "weights: " in taught("moves", "--from", "small", "--steps", 1, "--no-register")
    assert (models / "catalog.toml").read_text() == before


def test_only_stores_leave_it_open(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--no-register is for stores of tracks"):
        run("finetune", clips, "--no-register", "--out", tmp_path)
