"""Probes and fusions out of a store: left looks dark and right looks light."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pointaction.errors import InputError
from pointaction.models.fusion import load_fusion, load_probe
from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.part import Part
from pointaction.trackstore.sample import Sample
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.whole import WholeClips
from pointaction.trackstore.writer import StoreWriter
from pointaction.training.stored_looks import LookedBatches, WholeLooked
from tests.pointaction.trackstore.stores import BACKBONE, MAKING
from tests.pointaction.training.stored import WAYS, looking, sliding, store_of
from tests.pointaction.training.test_finetune_store import SMALL, run


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 clips that do not move, with features."""
    folder = tmp_path_factory.mktemp("looks")
    store_of(folder, 16, looks=True, tracks=False)
    return folder


@pytest.fixture(scope="module")
def probe(looks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a probe that was trained on them."""
    out = tmp_path_factory.mktemp("probe")
    words = ("--name", "probe", "--steps", 30, "--batch", 8, "--workers", 0, "--out", out)
    how = ("--learning-rate", 1e-2, "--no-register")  # there is no such backbone
    said = run("finetune", looks, "--probe", "looks-tiny", *how, *words)
    assert "validation: 100.0%" in said
    return out / "finetune-probe-seed1" / "weights.safetensors"


def test_a_batch_has_the_features_of_its_own_clips(looks: Path) -> None:
    """Features are about 1 for right and about -1 for left, whatever order clips come in."""
    store = Part.of(store_of(looks, 16, looks=True, tracks=False))
    tracks = StoreBatches(store, WAYS, batch=6, frames=8, sizes=(4,), seed=1)
    batch = LookedBatches(tracks, moving=True)[2]
    assert batch.tokens.shape == (6, 32, 6)
    assert batch.time.tolist() == [0] * 16 + [1] * 16
    assert batch.moves is not None
    assert batch.moves.label.tolist() == batch.label.tolist()
    side = batch.tokens[..., :3].float().mean((1, 2)) > 0
    assert side.tolist() == [bool(label) for label in batch.label]
    whole = WholeLooked(WholeClips(store, WAYS, frames=8, together=5))[1]
    assert (whole.tokens[..., :3].float().mean((1, 2)) > 0).tolist() == [
        bool(n) for n in whole.label
    ]


def test_the_middle_is_one_step_in_time(looks: Path) -> None:
    store = Part.of(store_of(looks, 16, looks=True, tracks=False))
    clips = WholeClips(store, WAYS, frames=8, together=5)
    both, middle = WholeLooked(clips)[0], WholeLooked(clips, middle=True)[0]
    assert middle.time.tolist() == [1] * 16
    assert torch.equal(middle.tokens, both.tokens[:, 16:])


def test_a_probe_is_measured_as_it_was_trained(probe: Path, looks: Path) -> None:
    assert load_probe(probe).config.told_time
    said = run("evaluate", "stored", "accuracy", looks, "--weights", probe)
    assert "top-1: 100.0" in said


def test_a_fusion_joins_two_stores_by_their_keys(probe: Path, looks: Path, tmp_path: Path) -> None:
    """Motion is of a store of tracks alone, in which one more clip lies."""
    clips = tmp_path / "clips"
    store_of(clips, 18)
    run("finetune", clips, "--name", "m", "--steps", 2, "--out", tmp_path, *SMALL)
    motion = tmp_path / "finetune-m-seed1" / "weights.safetensors"
    fused = tmp_path / "finetune-f-seed1" / "weights.safetensors"
    words = ("--fuse", "looks-tiny", "--looks", looks, "--from", motion, "--probe-weights", probe)
    said = run(
        "finetune", clips, "--name", "f", "--steps", 30, "--learning-rate", 1e-2,
        "--warmup", 0.4, "--out", tmp_path, *words, *SMALL,
    )  # fmt: skip
    assert "validation: 100.0%" in said
    before, after = load_probe(probe).state_dict(), load_fusion(fused).probe.state_dict()
    for name, value in before.items():
        assert torch.equal(after[name], value), name
    said = run("evaluate", "stored", "accuracy", clips, "--looks", looks, "--weights", fused)
    assert "top-1: 100.0" in said


def test_another_backbone_or_none_is_refused(probe: Path, looks: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are of looks-tiny, not dinov2-base"):
        run("finetune", looks, "--probe", "dinov2-base", "--out", tmp_path)
    store_of(tmp_path / "plain", 8)
    with pytest.raises(InputError, match="has no features; extract it with a backbone"):
        run("finetune", tmp_path / "plain", "--probe", "looks-tiny", "--out", tmp_path)
    with pytest.raises(InputError, match="wants --probe-weights"):
        run("finetune", looks, "--fuse", "looks-tiny", "--out", tmp_path)
    words = ("--no-register", "--out", tmp_path, "--probe-weights", probe)
    with pytest.raises(InputError, match="--fuse on a store wants --from"):
        run("finetune", looks, "--fuse", "looks-tiny", *words)
    how = ("--from", probe, "--variant", "relative")
    with pytest.raises(InputError, match="would not know what relative leaves out"):
        run("finetune", looks, "--fuse", "looks-tiny", *words, *how)


def test_what_could_not_be_served_is_told_before_it_is_learned(looks: Path, tmp_path: Path) -> None:
    """The features say that they are of another looks-tiny than the shipped one."""
    words = ("--probe", "looks-tiny", "--out", tmp_path / "runs", "--store", tmp_path / "models")
    with pytest.raises(InputError, match=r"trained on looks-tiny 555555555555.*--no-register"):
        run("finetune", looks, *words)
    with pytest.raises(InputError, match=r"not with the middle; give --no-register"):
        run("finetune", looks, *words, "--middle")
    assert not (tmp_path / "runs").exists()


def test_neighbours_are_told_by_features_alone(tmp_path: Path) -> None:
    """Four clips each way; who acts has nothing to do with how it looks."""
    store = TrackStore.create(tmp_path, replace(MAKING, backbone=BACKBONE))
    with StoreWriter(store) as writer:
        for number in range(8):
            way = 2 * (number % 2) - 1
            about = {"group": ("ann", "bob")[number // 4]}
            writer.add(
                Sample(
                    key=f"{number}",
                    tracks=sliding(number, way),
                    label=WAYS[number % 2],
                    about=about,
                    features=looking(number, way),
                )
            )
    said = run("evaluate", "stored", "neighbours", tmp_path, "--k", 1)
    assert "action: 100.0" in said
    assert "identity: " in said


def test_a_store_without_clips_has_no_figures(tmp_path: Path) -> None:
    """All of them failed, it may be."""
    TrackStore.create(tmp_path, MAKING)
    with pytest.raises(InputError, match=r"has no clips; if some failed, its failures.jsonl"):
        run("evaluate", "stored", "neighbours", tmp_path)
    with pytest.raises(InputError, match="has 0 clips, and none of them to learn from"):
        run("pretrain", tmp_path, "--out", tmp_path, *SMALL)
