import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.models.calibration import Calibration
from pointaction.models.catalog import DEFAULT_STORE, find
from pointaction.tracks import Tracks
from pointaction.video.decode import decode
from service.demo import BUNDLED
from tests.conftest import Stack
from tests.pointaction.models.stores import small_store


def call(*words: str | Path | int) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good clip, one that is none, and something that nobody would take for one."""
    (tmp_path / "a.mp4").write_bytes(BUNDLED.read_bytes())
    (tmp_path / "b.mp4").write_text("not a video")
    (tmp_path / "notes.txt").write_text("hello")
    return tmp_path


def test_one_bad_file_does_not_stop_the_rest(folder: Path) -> None:
    done = call("classify", folder, "--local", "--json")
    good, bad = (json.loads(line) for line in done.stdout.splitlines())
    assert good["predictions"][0]["label"] == "moving left"
    assert len(good["predictions"]) == 5
    assert bad["problem"]["kind"] == "unsupported-clip"
    assert done.exit_code == 1


def test_a_clip_is_answered_and_drawn(folder: Path) -> None:
    done = call("classify", folder / "a.mp4", "--local", "--overlay", folder / "a.png")
    assert done.exit_code == 0
    assert "moving left" in done.stdout
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("threshold", "said"), [(1.01, True), (0.0, False), (None, None)], ids=str)
def test_a_motion_without_a_name_is_said_to_be_none_of_these(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    threshold: float | None,
    said: bool | None,
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    calibration = threshold is not None and Calibration(
        temperature=1.0, threshold=threshold, score="sureness"
    )
    small_store(store, calibration or None)
    monkeypatch.setattr("pointaction.cli.STORE", store)
    words = ("classify", folder / "a.mp4", "--local", "--model", "small", "--tracks", 32)
    assert json.loads(call(*words, "--json").stdout)["none_of_these"] is said
    assert ("likely none of these" in call(*words).stdout) is bool(said)


def test_tracks_are_written_and_classified_without_the_clip(folder: Path) -> None:
    file = folder / "a.tracks.npz"
    assert call("track", folder / "a.mp4", "-o", file, "--tracks", 256).exit_code == 0
    assert len(Tracks.load(file).xy) == 256
    overlay = folder / "a.mp4.png"
    done = call("classify", file, "--local", "--json", "--overlay", overlay)
    assert json.loads(done.stdout)["predictions"][0]["label"] == "moving left"
    assert overlay.exists()


def test_a_server_answers_as_this_process_does(folder: Path, stack: Stack) -> None:
    url = str(stack.client.base_url)
    there = call("classify", folder / "a.mp4", "--json", "--server", url)
    here = call("classify", folder / "a.mp4", "--json", "--local")
    assert json.loads(there.stdout)["predictions"][0] == json.loads(here.stdout)["predictions"][0]
    video = folder / "there.mp4"
    call("classify", folder / "a.mp4", "--server", url, "--overlay", video)
    assert decode(video, frames=4).source.frames == 32
    bad = call("classify", folder / "b.mp4", "--json", "--server", url)
    assert json.loads(bad.stdout)["problem"]["kind"] == "unsupported-clip"


def test_a_file_that_is_not_there_is_named(folder: Path, stack: Stack) -> None:
    for way in (["--local"], ["--server", str(stack.client.base_url)]):
        done = call("classify", folder / "none.mp4", folder / "a.mp4", "--json", *way)
        missing, good = (json.loads(line) for line in done.stdout.splitlines())
        assert missing["problem"]["kind"] == "no-such-file"
        assert good["predictions"]


def test_no_server_is_said_with_what_to_do(folder: Path) -> None:
    done = call("classify", folder / "a.mp4", "--json", "--server", "http://127.0.0.1:9")
    assert "pointaction serve" in json.loads(done.stdout)["problem"]["detail"]


def test_a_clip_is_classified_by_networks_that_were_pulled_and_drawn(
    folder: Path, network_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointaction.cli.STORE", network_store)
    monkeypatch.setattr("pointaction.depth.map_lifter.INPUT_SIZE", 28)
    done = call(
        "classify", folder / "a.mp4", "--local", "--json", "--model", "small", "--tracks", 8,
        "--depth", "video-depth-anything-small", "--overlay", folder / "a.png",
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["tracker"]["name"] == "lucas-kanade"
    assert (answer["depth"]["name"], answer["depth"]["version"]) == (
        "video-depth-anything-small",
        "1",
    )
    assert answer["depth"]["licence"] == "Apache-2.0"
    assert answer["notes"] == []  # this model does not say what it learned from
    assert (folder / "a.png").exists()


def test_a_choice_goes_to_the_server_with_clips_alone(folder: Path, stack: Stack) -> None:
    url = str(stack.client.base_url)
    file = folder / "a.tracks.npz"
    call("track", folder / "a.mp4", "-o", file, "--tracks", 64)
    words = ("classify", folder / "a.mp4", file, "--json", "--server", url)
    done = call(*words, "--points", "grid", "--tracker", "lucas-kanade", "--depth", "looming")
    of_clip, of_tracks = (json.loads(line) for line in done.stdout.splitlines())
    assert (of_clip["points"]["name"], of_clip["tracker"]["name"]) == ("grid", "lucas-kanade")
    assert [of_tracks[made] for made in ("points", "tracker", "depth")] == [None] * 3
    refused = json.loads(call(*words[:2], *words[3:], "--tracker", "guess").stdout)
    assert refused["problem"]["kind"] == "invalid-field"


def test_points_are_chosen_as_told_in_this_process_too(folder: Path) -> None:
    words = ("classify", folder / "a.mp4", "--local", "--json", "--tracks", 240)
    plain, grid = (json.loads(call(*words, *more).stdout) for more in ((), ("--points", "grid")))
    assert (plain["points"]["name"], grid["points"]["name"]) == ("random", "grid")
    assert plain["predictions"] != grid["predictions"]
    assert grid["predictions"][0]["label"] == "moving left"


def test_several_overlays_go_into_a_folder(folder: Path) -> None:
    (folder / "b.mp4").unlink()
    (folder / "c.mp4").write_bytes(BUNDLED.read_bytes())
    call("classify", f"{folder}/*.mp4", "--local", "--overlay", folder / "drawn")
    names = sorted(path.name for path in (folder / "drawn").iterdir())
    assert names == ["a.overlay.mp4", "c.overlay.mp4"]


def test_a_folder_without_clips_says_what_was_looked_for(tmp_path: Path) -> None:
    assert isinstance(call("classify", tmp_path, "--local").exception, InputError)


def test_models_are_listed_with_their_licence() -> None:
    shown = call("models").stdout
    assert "traction-tiny" in shown
    assert "Apache-2.0" in shown


def test_a_rendered_clip_is_the_same_for_the_same_seed_alone(tmp_path: Path) -> None:
    def rendered(seed: int) -> bytes:
        path = tmp_path / "falling.mp4"
        call("render", "falling", "-o", path, "--side", 64, "--seed", seed)
        return path.read_bytes()

    first = rendered(0)
    assert rendered(0) == first
    assert rendered(1) != first


def test_a_motion_is_rendered_as_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "falling.mp4"
    assert call("render", "falling", "-o", path, "--side", 64).exit_code == 0
    source = decode(path, frames=8, short_side=32).source
    assert source.frames == 48
    assert max(source.width, source.height) == 64


def test_training_ends_in_weights_and_their_digest(tmp_path: Path) -> None:
    done = call("train", "quick", "--steps", 1, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "quick-seed1" / "weights.safetensors").stat().st_size > 2_900_000
    assert "sha256" in done.stdout


def test_pretraining_makes_weights_that_a_training_can_start_with(tmp_path: Path) -> None:
    assert call("pretrain", "quick", "--steps", 1, "--out", tmp_path).exit_code == 0
    start = tmp_path / "pretrain-quick-seed1" / "weights.safetensors"
    done = call("train", "quick", "--steps", 1, "--out", tmp_path, "--from", start)
    assert done.exit_code == 0, done.output


def test_a_grown_model_is_what_a_training_of_the_papers_size_can_start_with(tmp_path: Path) -> None:
    start = tmp_path / "grown.safetensors"
    assert call("grow", "-o", start).exit_code == 0
    done = call(
        "train", "grown", "--steps", 1, "--batch", 4, "--accumulate", 1, "--out", tmp_path,
        "--from", start,
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_the_mean_of_weights_and_themselves_are_these_weights(tmp_path: Path) -> None:
    weights = DEFAULT_STORE / "traction-tiny" / "weights.safetensors"
    done = call("average", weights, weights, "-o", tmp_path / "mean.safetensors")
    assert find(DEFAULT_STORE, "traction-tiny").sha256 in done.stdout


def test_the_installed_command_offers_the_services_commands_and_plain_errors() -> None:
    command = [sys.executable, "-m", "pointaction"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert {"serve", "worker", "demo", "dead", "release"} <= set(shown.stdout.split())
    wrong = subprocess.run([*command, "train", "huge"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: 'huge' is not one of: tiny, full, quick,")


def test_models_lists_what_is_there_and_what_could_be() -> None:
    shown = call("models")
    assert shown.exit_code == 0, shown.output
    assert "traction-tiny" in shown.stdout
    rows = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "cotracker3 25.4 M CC-BY-NC-4.0 no no" in rows


def test_weights_of_others_wait_for_their_licence_to_be_accepted(tmp_path: Path) -> None:
    file = tmp_path / "cotracker.pth"
    file.touch()
    asked = call("models", "pull", "cotracker3", "--from", file, "--store", tmp_path / "store")
    assert isinstance(asked.exception, InputError)
    assert "--accept-licence" in str(asked.exception)
    assert not (tmp_path / "store" / "cotracker3").exists()


def test_a_way_of_seeing_that_is_not_there_is_answered_with_those_there_are() -> None:
    done = call("evaluate", "openset", "--seen-as", "guessed")
    assert str(done.exception) == "'guessed' is not one of: exact, tracked, pixels"
