from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pointaction.errors import InputError
from pointaction.models.catalog import find
from pointaction.models.emim import EMIM, EMIMConfig
from pointaction.models.files import save_network
from pointaction.models.trajectorynet import TrajectoryNet, TrajectoryNetConfig, load_trajectorynet
from pointaction.training.finetune import Watcher, Wish
from pointaction.training.video_folder import finetune_video, sees_pixels, with_head
from pointaction.video.encode import encode_mp4
from tests.pointaction.tracking.test_lucas_kanade import shifting

WAYS = {"to the left": (-3, 0), "to the right": (3, 0)}
CONFIG = TrajectoryNetConfig(classes=7, width=4, blocks=(1, 1), follow=(1, 2))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of each way, and a file that is no clip."""
    folder = tmp_path_factory.mktemp("ways")
    for label, (x, y) in WAYS.items():
        (folder / label).mkdir()
        for number in range(3):
            clip = shifting((x + number, y), frames=6)
            encode_mp4(clip.frames, fps=8, path=folder / label / f"{number}.mp4")
    (folder / "to the left" / "broken.mp4").write_bytes(b"no clip")
    return folder


@pytest.fixture
def wish(clips: Path, tmp_path: Path) -> Wish:
    start = tmp_path / "start.safetensors"
    torch.manual_seed(0)
    save_network(TrajectoryNet(CONFIG), start)
    return Wish(
        source=clips,
        store=tmp_path / "store",
        name="ways",
        start=str(start),
        folder=tmp_path / "run",
        share=0.25,
        steps=2,
    )


def watcher(failures: list[Path]) -> Watcher:
    return Watcher(
        following=lambda done, total: None,
        failed=lambda path, error: failures.append(path),
        training=lambda run: lambda step, measures: None,
    )


def test_a_folder_becomes_a_model_of_the_store(wish: Wish) -> None:
    failures: list[Path] = []
    done = finetune_video(wish, watcher(failures))
    assert [path.name for path in failures] == ["broken.mp4"]
    assert done.steps == 2
    assert done.last is not None
    assert done.last.total == 2  # a clip of each way
    entry = find(wish.store, "ways")
    assert entry.labels == ("to the left", "to the right")
    assert entry.inputs == {"pixels": 64, "frames": 12}
    assert entry.looks
    assert not entry.follows
    network = load_trajectorynet(wish.store / entry.file)
    assert network.config == replace(CONFIG, classes=2)
    card = (wish.store / entry.card).read_text()
    assert "| to the left | 2 | 1 |" in card
    assert str(done.last) in card


def test_the_head_alone_leaves_the_rest_as_it_was(wish: Wish) -> None:
    finetune_video(replace(wish, head_only=True), watcher([]))
    before = load_trajectorynet(Path(wish.start))
    after = load_trajectorynet(wish.store / find(wish.store, "ways").file)
    assert torch.equal(before.stem.weight, after.stem.weight)
    assert before.head.out_features != after.head.out_features


def test_a_new_head_is_all_that_is_new() -> None:
    network = EMIM(EMIMConfig(classes=7, width=12, layers=1, heads=2, local=1))
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    other = with_head(network, classes=3)
    assert other.config.classes == 3
    for name, value in other.state_dict().items():
        assert torch.equal(value, weights[name]) != name.startswith("head.")


def test_only_networks_of_pixels_are_taught_here(wish: Wish) -> None:
    assert sees_pixels(wish.store, wish.start)
    assert not sees_pixels(wish.store, "nowhere.safetensors")
    assert not sees_pixels(wish.store, "traction-tiny")


def test_a_layout_of_lists_is_refused_with_a_word_on_what_is_read(wish: Wish) -> None:
    with pytest.raises(InputError, match="give --layout files to take it as it lies"):
        finetune_video(replace(wish, layout="ssv2"), watcher([]))
