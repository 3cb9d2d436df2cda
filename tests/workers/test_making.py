"""How tracks come about, from names that were chosen and from answers that were given."""

from pathlib import Path

import pytest

from pointaction.errors import InputError, NotInstalled
from tests.pointaction.models.stores import know_downloads, pretend, small_store
from workers.making import Making, makings_of
from workers.settings import Settings

NAMES = {"points": "grid", "tracker": "lucas-kanade", "depth": "looming"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a store that knows what could be pulled, and has nothing of it."""
    know_downloads(small_store(tmp_path))
    return Settings(model_store=tmp_path, tracks=64)


def told(making: Making) -> dict[str, object]:
    """What an answer says of it."""
    parts = {"points": making.points, "tracker": making.tracker, "depth": making.depth}
    return {name: used.to_json() if used else None for name, used in parts.items()}


def test_an_answer_leads_back_to_how_its_tracks_were_made(settings: Settings) -> None:
    made = Making.of(settings, "clip", **NAMES)
    assert made.points
    assert (made.points.name, made.tracks) == ("grid", 64)
    assert Making.behind(settings, "clip", told(made)) == made


def test_an_answer_from_before_points_were_a_choice_was_of_random_ones(settings: Settings) -> None:
    random = Making.of(settings, "clip", **NAMES | {"points": "random"})
    older = told(random)
    del older["points"]
    assert Making.behind(settings, "clip", older) == random


def test_of_uploaded_tracks_nobody_knows_who_chose_them(settings: Settings) -> None:
    made = Making.of(settings, "tracks", **NAMES)
    assert (made.points, made.tracker, made.tracks) == (None, None, 0)
    assert Making.behind(settings, "tracks", told(made)) == made
    assert makings_of(settings, "tracks") == {made, Making.none()}


def test_for_a_model_that_looks_at_pixels_alone_none_are_made(settings: Settings) -> None:
    made = Making.none()
    assert Making.behind(settings, "clip", told(made)) == made


def test_what_is_not_there_is_refused(settings: Settings) -> None:
    with pytest.raises(InputError, match="random, grid, semantic"):
        Making.of(settings, "clip", **NAMES | {"points": "guess"})
    with pytest.raises(NotInstalled, match="models pull cotracker3"):
        Making.of(settings, "clip", **NAMES | {"tracker": "cotracker3"})


def test_every_way_that_is_installed_is_listed(settings: Settings) -> None:
    """Three ways to choose points, each followed by Lucas-Kanade, then by CoTracker3 too; none."""
    assert len(makings_of(settings, "clip")) == 3 + 1
    pretend(settings.model_store, "cotracker3")
    # cotracker-reference runs on the same weights
    assert len(makings_of(settings, "clip")) == 3 * 3 + 1
