from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.models.catalog import DEFAULT_STORE, find, read_catalog
from pointaction.models.masked_pretraining import MaskedConfig, MaskedPretraining
from pointaction.models.traction import traction_tiny
from pointaction.pipeline import Recogniser, track_clip
from pointaction.tracks import Tracks
from pointaction.training.checkpoints import export_weights
from pointaction.training.finetune import Watcher, Wish, find_start, finetune
from pointaction.video.encode import encode_mp4
from tests.pointaction.tracking.test_lucas_kanade import shifting

WAYS = {"to the left": (-3, 0), "to the right": (3, 0)}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of each way, one of them as a video, and a file that is no clip."""
    folder = tmp_path_factory.mktemp("ways")
    for label, (x, y) in WAYS.items():
        (folder / label).mkdir()
        for number in range(4):
            step = x + number // 2, y + number % 2
            clip = shifting(step, frames=12)
            if number:
                track_clip(clip, tracks=48).save(folder / label / f"{number}.tracks.npz")
            else:
                encode_mp4(clip.frames, fps=8, path=folder / label / "0.mp4")
    (folder / "to the left" / "broken.mp4").write_bytes(b"no clip")
    return folder


@pytest.fixture
def wish(clips: Path, tmp_path: Path) -> Wish:
    return Wish(
        source=clips,
        store=tmp_path / "store",
        name="ways",
        start="traction-tiny",
        folder=tmp_path / "run",
        share=0.25,
        steps=12,
        epochs=2,
        learning_rate=1e-3,
        tracks=48,
    )


def silent(failures: list[Path]) -> Watcher:
    def failed(path: Path, error: Exception) -> None:
        failures.append(path)

    return Watcher(
        following=lambda done, total: None,
        failed=failed,
        training=lambda run: lambda step, measures: None,
    )


def test_a_folder_becomes_a_model_that_answers_with_its_labels(wish: Wish) -> None:
    failures: list[Path] = []
    done = finetune(wish, silent(failures))
    assert [path.name for path in failures] == ["broken.mp4"]
    assert done.last is not None
    assert done.last.total == 2
    recogniser = Recogniser.load(wish.store, "ways")
    assert set(recogniser.entry.labels) == set(WAYS)
    right = 0
    for file in wish.source.glob("*/*.npz"):
        tracks = Tracks.load(file)
        answer = next(iter(recogniser.recognise(tracks).scores))
        went = (tracks.xy[:, -1, 0] - tracks.xy[:, 0, 0])[tracks.visible.all(1)].mean()
        right += answer == ("to the right" if went > 0 else "to the left")
    assert right >= 5  # of 6
    card = (wish.store / recogniser.entry.card).read_text()
    assert "| to the left | 3 | 1 |" in card
    assert str(done.last) in card
    assert "traction-tiny" in read_catalog(wish.store)  # a new store begins as the shipped one


def test_a_run_that_was_stopped_goes_on_and_then_registers(wish: Wish) -> None:
    whole = replace(wish, store=wish.store.with_name("other"), folder=wish.folder / "whole")
    for minutes, finished in ((0.0, False), (None, True)):
        done = finetune(replace(wish, steps=2, minutes=minutes), silent([]))
        assert (done.entry is not None) == finished
    at_once = finetune(replace(whole, steps=2), silent([]))
    assert done.entry is not None
    assert at_once.entry is not None
    assert done.entry.sha256 == at_once.entry.sha256


def test_a_name_that_is_taken_is_refused_before_any_work(wish: Wish) -> None:
    with pytest.raises(InputError, match="has a model 'traction-tiny'.*--replace"):
        finetune(replace(wish, name="traction-tiny"), silent([]))
    assert not wish.folder.exists()


def test_the_head_alone_leaves_the_encoder(wish: Wish) -> None:
    finetune(replace(wish, head_only=True, steps=1), silent([]))
    before = Recogniser.load(DEFAULT_STORE, "traction-tiny").model.encoder.state_dict()
    after = Recogniser.load(wish.store, "ways").model.encoder.state_dict()
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=0)


def test_weights_of_a_pretraining_are_a_start(tmp_path: Path) -> None:
    path = tmp_path / "pretrained.safetensors"
    export_weights(MaskedPretraining(traction_tiny(1).encoder, MaskedConfig()), path)
    assert find_start(DEFAULT_STORE, str(path)).builder == "traction_tiny"
    with pytest.raises(InputError, match="is not there"):
        find_start(DEFAULT_STORE, str(tmp_path / "other.safetensors"))


def test_the_command_says_what_it_did_and_what_to_do(wish: Wish, clips: Path) -> None:
    words = ["finetune", clips, "--store", wish.store, "--out", wish.folder, "--name", "own"]
    words += ["--steps", 1, "--tracks", 32]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert "own 1: 2 labels" in done.stdout
    assert "without a restart" in done.stdout
    assert "broken.mp4 is left out" in done.stderr
    assert find(wish.store, "own").labels == ("to the left", "to the right")
