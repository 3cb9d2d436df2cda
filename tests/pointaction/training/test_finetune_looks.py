"""Two labels that differ in colour and in which way things move, and a small backbone of ours."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError, UnknownModel
from pointaction.models.catalog import find
from pointaction.pipeline import track_clip
from pointaction.recognisers import open_recogniser
from pointaction.training.finetune import Watcher, Wish
from pointaction.training.finetune_looks import apart, finetune_fusion, finetune_probe
from pointaction.video.decode import decode
from tests.pointaction.models.stores import probe_store, small_store, video_store
from tests.pointaction.test_video_networks import network
from tests.pointaction.training.lit_clips import LABELS, write_clips

QUIET = Watcher(
    following=lambda done, total: None,
    failed=lambda path, error: None,
    training=lambda run: lambda step, measures: None,
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of each label."""
    return write_clips(tmp_path_factory.mktemp("looks"))


@pytest.fixture
def wish(clips: Path, tmp_path: Path) -> Wish:
    """To a store with the model `small` and the backbone `looks`."""
    store = tmp_path / "store"
    store.mkdir()
    probe_store(store)
    looks = (store / "catalog.toml").read_text().split("[models.seen]")[0]
    small_store(store)
    with (store / "catalog.toml").open("a") as catalog:
        catalog.write(looks)
    return Wish(
        source=clips,
        store=store,
        name="own",
        start="small",
        folder=tmp_path / "run",
        share=0.25,
        steps=4,
        epochs=1,
        tracks=16,
    )


def test_a_folder_becomes_a_fused_model(wish: Wish, clips: Path) -> None:
    done = finetune_fusion(wish, "looks", QUIET)
    assert done.last is not None
    assert done.last.total == 2
    entry = find(wish.store, "own")
    assert entry.labels == tuple(LABELS)
    assert entry.licence == "Apache-2.0"
    assert (entry.follows, entry.looks) == (True, True)
    clip = decode(clips / "dark to the left" / "0.mp4")
    seen = open_recogniser(wish.store, "own").recognise(track_clip(clip, tracks=16), clip)
    assert set(seen.branches) == {"motion", "appearance"}
    assert next(iter(seen.branches["appearance"])) == "dark to the left"
    card = (wish.store / entry.card).read_text()
    assert "| dark to the left | 3 | 1 |" in card
    assert f"looks ({entry.backbone.sha256[:12] if entry.backbone else ''})" in card


def test_a_folder_becomes_a_model_that_looks_and_does_not_follow(wish: Wish, clips: Path) -> None:
    """Light and dark are told apart by looks; what was looked at once is not looked at again."""
    shared = wish.folder / "shared"
    done = finetune_probe(replace(wish, features=shared), "looks", QUIET)
    assert done.last is not None
    assert done.last.share == 1
    entry = find(wish.store, "own")
    assert (entry.follows, entry.looks) == (False, True)
    kept = list(shared.rglob("*.safetensors"))
    assert len(kept) == 8
    before = {path: path.stat().st_mtime_ns for path in kept}
    finetune_probe(replace(wish, features=shared, name="again"), "looks", QUIET)
    assert {path: path.stat().st_mtime_ns for path in shared.rglob("*.safetensors")} == before


def test_motion_in_pixels_is_a_branch_too(wish: Wish, clips: Path) -> None:
    """Beside points that move, a network that names motions in pixels."""
    looks = (wish.store / "catalog.toml").read_text()
    video_store(wish.store, network("trajectorynet"))
    with (wish.store / "catalog.toml").open("a") as catalog:
        catalog.write(looks)
    finetune_fusion(wish, "watcher", QUIET)
    entry = find(wish.store, "own")
    assert entry.inputs["pixels"] == "12 frames through watcher"
    clip = decode(clips / "dark to the left" / "0.mp4")
    seen = open_recogniser(wish.store, "own").recognise(track_clip(clip, tracks=16), clip)
    assert set(seen.branches) == {"motion", "appearance"}


def test_what_extract_features_keeps_is_what_is_learned_from(wish: Wish, clips: Path) -> None:
    shared = wish.folder / "shared"
    said = CliRunner().invoke(
        app,
        ["extract-features", str(clips), "--backbone", "looks", "-o", str(shared)]
        + ["--store", str(wish.store)],
    )
    assert said.exit_code == 0, said.output
    assert "8 clips" in said.output.replace("\n", " ")
    kept = {path: path.stat().st_mtime_ns for path in shared.rglob("*.safetensors")}
    finetune_probe(replace(wish, features=shared), "looks", QUIET)
    assert {path: path.stat().st_mtime_ns for path in shared.rglob("*.safetensors")} == kept


def test_a_backbone_that_is_not_there_is_told_before_anything_is_done(wish: Wish) -> None:
    with pytest.raises(UnknownModel, match="no backbone 'dino'; there is looks"):
        finetune_fusion(wish, "dino", QUIET)
    assert not wish.folder.exists()


def test_tracks_have_no_looks(wish: Wish, clips: Path, tmp_path: Path) -> None:
    for label in LABELS:
        inner = tmp_path / "tracks" / label
        inner.mkdir(parents=True)
        clip = decode(clips / label / "0.mp4")
        track_clip(clip, tracks=16).save(inner / "0.tracks.npz")
    with pytest.raises(InputError, match="none of the clips can be looked at"):
        finetune_probe(replace(wish, source=tmp_path / "tracks"), "looks", QUIET)


def test_the_layer_above_learns_from_clips_that_its_branches_have_not_seen() -> None:
    class One:
        def __init__(self, label: str) -> None:
            self.clip = self
            self.label = label

    clips = [One("a"), One("a"), One("a"), One("b"), One("b"), One("b"), One("b")]
    own, above = apart(clips)  # type: ignore[arg-type]
    assert [each.clip.label for each in above] == ["a", "b"]
    assert len(own) == 5
    few = clips[1:]
    assert apart(few) == (few, few)  # type: ignore[arg-type,comparison-overlap]


def test_only_one_of_both_ways_can_be_asked_for(clips: Path) -> None:
    said = CliRunner().invoke(app, ["finetune", str(clips), "--probe", "a", "--fuse", "b"])
    assert isinstance(said.exception, InputError)
