"""Episodes out of a store: three ways to move for training and three others for testing."""

from pathlib import Path

import pytest
import torch

from pointaction.appearance.native_input import Centre, Squashed
from pointaction.errors import InputError
from pointaction.models.fewshot import load_network
from pointaction.trackstore.part import Part
from pointaction.trackstore.store import TrackStore
from pointaction.training.episodes import EpisodeRecipe
from pointaction.training.stored_episodes import (
    Build,
    Clips,
    StoredEpisodes,
    as_maps,
    on_what_is_seen,
)
from tests.pointaction.training.stored import looking, store_of
from tests.pointaction.training.test_finetune_store import run

NAMES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackStore:
    """Four clips of each of six classes, of which the first three are taught."""
    return store_of(
        tmp_path_factory.mktemp("classes"),
        24,
        names=NAMES,
        split=lambda number: "train" if number % 6 < 3 else "test",
    )


def recipe(*, ways: int = 2, performances: int = 3) -> EpisodeRecipe:
    return EpisodeRecipe(
        builder="strm",
        steps=1,
        batch=ways * performances,
        learning_rate=1e-3,
        ways=ways,
        performances=performances,
        tracks=(8,),
    )


def test_an_episode_has_as_many_clips_of_each_of_some_classes(store: TrackStore) -> None:
    part = Part.of(store, lambda entry: entry.about["split"] == "train")
    episodes = StoredEpisodes(Clips(part=part, labels=NAMES[:3], tracks=8), recipe(), seed=1)
    for number in range(4):
        batch = episodes[number]
        assert batch.group.tolist() == [0, 0, 0, 1, 1, 1]
        one, other = batch.label[:3].unique().tolist(), batch.label[3:].unique().tolist()
        assert len(one) == len(other) == 1
        assert one != other
        assert batch.geometry.shape == (6, 8, 32, 3)
    assert torch.equal(episodes[2].geometry, episodes[2].geometry)
    assert not torch.equal(episodes[2].geometry, episodes[3].geometry)


def test_too_few_clips_of_too_few_classes_are_told(store: TrackStore) -> None:
    clips = Clips(part=Part.of(store), labels=NAMES, tracks=8)
    with pytest.raises(InputError, match="need 2 classes of 5 clips; only 0 have so many"):
        StoredEpisodes(clips, recipe(performances=5), seed=1)


def test_places_are_told_over_what_a_backbone_sees() -> None:
    """Of a frame twice as wide as high, in units of its width: corners, and those of its middle."""
    xy = torch.tensor([[0.0, 0.0], [1.0, 0.5], [0.25, 0.0], [0.75, 0.5], [0.5, 0.25]])
    told = xy[None, :, None]
    squashed = on_what_is_seen(told, [(100, 200)], Squashed(side=112))[0, :, 0]
    assert squashed.tolist() == [[-1, -1], [1, 1], [-0.5, -1], [0.5, 1], [0, 0]]
    centre = on_what_is_seen(told, [(100, 200)], Centre(side=100, short_side=100))[0, :, 0]
    assert centre.tolist() == [[-2, -1], [2, 1], [-1, -1], [1, 1], [0, 0]]
    half = on_what_is_seen(told, [(100, 200)], Centre(side=50, short_side=100))[0, :, 0]
    assert half.tolist() == [[-4, -2], [4, 2], [-2, -2], [2, 2], [0, 0]]


def test_tokens_become_maps_of_eight_moments() -> None:
    features = looking(0, 1, steps=2, side=4)
    maps = as_maps([features])
    assert maps.shape == (1, 8, 4, 4, 6)
    assert torch.equal(maps[0, 0], torch.from_numpy(features.tokens[:16].reshape(4, 4, 6)))
    assert torch.equal(maps[0, 7], torch.from_numpy(features.tokens[16:].reshape(4, 4, 6)))


def test_parts_can_be_left_out() -> None:
    sizes = {"classes": 3, "tracks": 16, "map_shape": (4, 6)}
    trx = Build(network="trx", small=True).build(**sizes).state_dict()  # type: ignore[arg-type]
    assert not any(name.startswith(("attn_pat", "fr_enrich", "query_class")) for name in trx)
    assert any(name.startswith("transformers.1") for name in trx)  # pairs and triples
    less = Build(network="strm", small=True, without=("ple",))
    names = less.build(**sizes).state_dict()  # type: ignore[arg-type]
    assert not any(name.startswith("attn_pat") for name in names)
    assert any(name.startswith("fr_enrich") for name in names)


@pytest.mark.parametrize("network", ["strm", "trokens"])
def test_a_network_learns_from_tracks_alone(
    network: str, store: TrackStore, tmp_path: Path
) -> None:
    words: tuple[object, ...] = (
        "--clips",
        store.url,
        "--name",
        "x",
        "--ways",
        2,
        "--queries",
        1,
        "--tracks",
        16,
    )
    words += ("--episodes", 4, "--accumulate", 2, "--small", "--workers", 0, "--out", tmp_path)
    run("train-episodes", network, *words)
    folder = tmp_path / f"{network}-x-seed1"
    assert len((folder / "losses.csv").read_text().splitlines()) == 3
    weights = folder / "weights.safetensors"
    load_network(weights)
    ask = ("--weights", weights, "--ways", 2, "--shots", 1, "--shots", 2, "--episodes", 4)
    said = run("evaluate", "stored", "episodes", store.url, *ask, "--tracks", 16)
    assert "1-shot: " in said
    assert "2-shot: " in said
    assert "of 4 episodes" in said
