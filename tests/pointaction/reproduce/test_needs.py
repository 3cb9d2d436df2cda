from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.reproduce.needs import data_sets, expect, hours, weights
from pointaction.reproduce.recipe import find_recipe
from tests.pointaction.models.stores import know_downloads, pretend, small_store


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A store that could fetch what the shipped one could."""
    store = tmp_path / "models"
    store.mkdir()
    small_store(store)
    know_downloads(store)
    return store


def ask(name: str, data: Path, models: Path, *, accepted: bool) -> None:
    recipe = find_recipe(name)
    needed, unknown = weights(recipe, models, tiny=False)
    expect(recipe, data_sets(recipe, data), needed, unknown, data, accepted=accepted)


def test_data_that_is_not_there_is_named_with_where_it_is_got(tmp_path: Path) -> None:
    (tmp_path / "ssv2").mkdir()
    there = {
        each.name: each.there for each in data_sets(find_recipe("iard-trajectories"), tmp_path)
    }
    assert there == {"iard": False, "kinetics400": False, "ssv2": True}
    with pytest.raises(InputError, match=r"Invariant Action .* \(doi:10.7910/DVN/DMT0PG"):
        ask("iard-dinov2", tmp_path, DEFAULT_STORE, accepted=True)


def test_licences_that_forbid_commercial_use_are_to_be_accepted(
    tmp_path: Path, models: Path
) -> None:
    (tmp_path / "ssv2").mkdir()
    told = "cotracker3 is under CC-BY-NC-4.0; video-depth-anything-large is under CC-BY-NC-4.0"
    with pytest.raises(InputError, match=f"{told}, which .* --accept-licences"):
        ask("ssv2-trajectories", tmp_path, models, accepted=False)
    ask("ssv2-trajectories", tmp_path, models, accepted=True)
    for name in ("cotracker3", "video-depth-anything-large"):
        pretend(models, name)  # who has them, has accepted
    ask("ssv2-trajectories", tmp_path, models, accepted=False)
    ask("ssv2-dinov2", tmp_path, models, accepted=False)  # Apache-2.0


def test_what_is_pulled_says_so(models: Path) -> None:
    needed, unknown = weights(find_recipe("ssv2-vjepa2-fused"), models, tiny=False)
    assert unknown == []
    assert [each.pull for each in needed] == [
        ["models", "pull", "cotracker3", "--accept-licence"],
        ["models", "pull", "video-depth-anything-large", "--accept-licence"],
        ["models", "pull", "vjepa2-large"],
    ]
    pretend(models, "vjepa2-large")
    needed, _ = weights(find_recipe("ssv2-vjepa2"), models, tiny=False)
    assert [each.installed for each in needed] == [True]
    assert weights(find_recipe("ssv2-vjepa2"), DEFAULT_STORE, tiny=True) == ([], [])


def test_weights_that_nobody_has_are_told(tmp_path: Path, models: Path) -> None:
    (tmp_path / "ssv2").mkdir()
    with pytest.raises(InputError, match="needs videoprism-base, which the catalogue does not"):
        ask("ssv2-videoprism", tmp_path, models, accepted=True)


def test_hours_are_the_papers_scaled_by_clips() -> None:
    """It tells 12 of pretraining and 0.75 of fine-tuning, both on Kinetics-400."""
    told = dict(hours(find_recipe("k400-trajectories")))
    assert told["pretraining"] == 12
    assert told["fine-tuning"] == 0.75
    assert 150 < told["extraction"] < 240  # about half of all clips, of 360
    half = dict(hours(find_recipe("ssv2-trajectories")))
    assert half["pretraining"] == pytest.approx(12 * 168_913 / 241_181)
    assert "pretraining" not in dict(hours(find_recipe("ssv2-base")))
    assert dict(hours(find_recipe("ssv2-vjepa2"))) == {}  # a probe, of which it tells nothing
    assert dict(hours(find_recipe("strm-ssv2"))) == {}
