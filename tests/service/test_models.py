import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.pointaction.models.stores import know_downloads, pretend, small_store
from tests.service.conftest import CLIP
from tests.service.doubles import SCORES, PlayedWorker
from tests.service.requests import problem, send
from workers import presence


def test_models_are_listed_with_what_they_know(client: TestClient) -> None:
    tiny, planned = (m for m in client.get("/models").json() if m["task"] == "classification")
    assert (tiny["name"], tiny["default"], tiny["installed"]) == ("tiny", True, True)
    assert (planned["name"], planned["default"], planned["installed"]) == ("planned", False, False)
    assert (tiny["calibrated"], planned["calibrated"]) == (False, True)
    assert tiny["labels"] == list(SCORES)
    assert tiny["inputs"] == {"frames": 4}
    assert tiny["licence"] == "Apache-2.0"


def test_a_model_is_loaded_once_a_worker_has_it(client: TestClient, worker: PlayedWorker) -> None:
    assert client.get("/models/tiny").json()["loaded"] is False
    presence.beat(worker.store.redis, "w", ttl_s=10)
    presence.loaded(worker.store.redis, "w", models={"tiny"}, ttl_s=10)
    assert client.get("/models/tiny").json()["loaded"] is True


def test_an_unknown_model_is_404_and_names_those_there_are(client: TestClient) -> None:
    document = problem(client.get("/models/oracle"))
    assert (document["kind"], document["status"], document["value"]) == ("not-found", 404, "oracle")
    assert "tiny" in json.dumps(document["detail"])


@pytest.fixture
def pulled(settings: ServiceSettings, worker: PlayedWorker, tmp_path: Path) -> Iterator[TestClient]:
    """A service whose store knows of all downloads and has CoTracker3 of them."""
    store = tmp_path / "store"
    store.mkdir()
    small_store(store)
    know_downloads(store)
    pretend(store, "cotracker3")
    update = {"model_store": store, "default_model": "small"}
    worker.settings = settings.model_copy(update=update)
    with TestClient(create_app(worker.settings, queue=worker)) as client:
        yield client


def test_trackers_and_depths_are_listed_with_how_to_get_them(pulled: TestClient) -> None:
    known = {one["name"]: one for one in pulled.get("/models").json()}
    assert set(known) == {
        "small",
        *("random", "grid", "semantic"),
        *("lucas-kanade", "cotracker3", "cotracker-reference"),
        *("looming", "depth-anything-v2-small"),
        *("prototype", "linear-probe", "otam", "sets", "trx"),
        *(f"video-depth-anything-{size}" for size in ("small", "base", "large")),
    }
    ours, theirs = known["lucas-kanade"], known["cotracker3"]
    assert (ours["task"], ours["default"], ours["installed"]) == ("tracking", True, True)
    assert (ours["licence"], ours["commercial_use"], ours["pull"]) == ("Apache-2.0", True, None)
    assert (theirs["default"], theirs["installed"], theirs["digest"]) == (False, True, "7" * 64)
    assert (theirs["licence"], theirs["commercial_use"]) == ("CC-BY-NC-4.0", False)
    assert theirs["pull"] == "pointaction models pull cotracker3 --accept-licence"
    missing = known["video-depth-anything-small"]
    assert (missing["task"], missing["installed"], missing["digest"]) == ("depth", False, None)
    assert missing["pull"] == "pointaction models pull video-depth-anything-small"
    assert pulled.get("/models/cotracker3").json() == theirs


def test_what_the_catalogue_does_not_know_cannot_be_chosen_from(client: TestClient) -> None:
    names = [one["name"] for one in client.get("/models").json()]
    assert names == [
        *("tiny", "strm", "trokens", "planned"),
        *("random", "grid", "semantic"),
        *("lucas-kanade", "looming"),
        *("prototype", "linear-probe", "otam", "sets", "trx"),
    ]


def test_a_request_chooses_its_tracker_and_depth(pulled: TestClient, worker: PlayedWorker) -> None:
    first = send(pulled).json()
    assert (first["tracker"]["name"], first["depth"]["name"]) == ("lucas-kanade", "looming")
    other = send(pulled, tracker="cotracker3").json()
    assert (other["cached"], other["tracker"]["digest"]) == (False, "7" * 64)
    assert other["tracker"]["licence"] == "CC-BY-NC-4.0"
    again = send(pulled, tracker="cotracker3").json()
    assert (again["cached"], again["tracker"]) == (True, other["tracker"])
    assert pulled.get(again["attention"]["href"]).status_code == 200
    overlay = pulled.get(f"/jobs/{again['job']}/overlay", params={"format": "png"})
    assert overlay.content == b"png of mean"


def test_what_is_not_installed_is_refused_before_a_job_is_made(
    pulled: TestClient, worker: PlayedWorker
) -> None:
    document = problem(send(pulled, depth="video-depth-anything-small"))
    assert (document["kind"], document["status"]) == ("not-installed", 422)
    assert "pointaction models pull video-depth-anything-small" in document["detail"]
    assert worker.submitted == []


def test_points_tell_which_network_they_run_on(pulled: TestClient, tmp_path: Path) -> None:
    plain = pulled.get("/models/semantic").json()
    assert (plain["task"], plain["default"], plain["installed"]) == ("points", False, True)
    assert (plain["version"], plain["digest"], plain["pull"]) == ("1", None, None)
    pretend(tmp_path / "store", "dinov2-small", "8" * 64)
    seeing = pulled.get("/models/semantic").json()
    assert (seeing["version"], seeing["digest"]) == ("1+dinov2-small", "8" * 64)
    assert seeing["pull"] == "pointaction models pull dinov2-small"
    assert pulled.get("/models/random").json()["default"] is True


def test_other_points_are_another_question_about_the_same_clip(
    pulled: TestClient, worker: PlayedWorker
) -> None:
    asked = [send(pulled, points=points).json() for points in ("random", "grid", "grid")]
    asked.append(send(pulled).json())  # random, since the operator says so
    assert [each["cached"] for each in asked] == [False, False, True, True]
    assert [each["points"]["name"] for each in asked] == ["random", "grid", "grid", "random"]
    assert len(worker.results.redis.keys("tracks:*")) == 2
    pulled.delete(f"/jobs/{asked[0]['job']}")
    for each in asked[1:]:
        assert pulled.delete(f"/jobs/{each['job']}").status_code == 204
    assert worker.results.redis.keys("tracks:*") == []


def test_the_operator_chooses_points_where_a_request_does_not(
    settings: ServiceSettings, worker: PlayedWorker
) -> None:
    choice = settings.model_copy(update={"points": "grid"})
    with TestClient(create_app(choice, queue=worker)) as client:
        assert send(client).json()["points"]["name"] == "grid"
        assert send(client, points="random").json()["points"]["name"] == "random"
        assert client.get("/models/grid").json()["default"] is True


@pytest.mark.parametrize(
    ("field", "known"),
    [("points", "semantic"), ("tracker", "lucas-kanade"), ("depth", "looming")],
)
def test_an_unknown_choice_is_answered_with_those_there_are(
    pulled: TestClient, field: str, known: str
) -> None:
    files = {"clip": ("a.mp4", CLIP)}
    document = problem(pulled.post("/classify", files=files, data={field: "guess"}))
    assert (document["kind"], document["value"]) == ("invalid-field", "guess")
    assert known in document["limit"]


def test_tracks_that_are_made_already_have_no_choice(
    pulled: TestClient, tracks_file: bytes
) -> None:
    files = {"tracks": ("a.tracks.npz", tracks_file)}
    for field, choice in (("points", "grid"), ("tracker", "cotracker3"), ("depth", "looming")):
        document = problem(pulled.post("/classify", files=files, data={field: choice}))
        assert (document["kind"], document["value"]) == ("invalid-field", choice)
    answer = pulled.post("/classify", files=files).json()
    assert (answer["points"], answer["tracker"]) == (None, None)


def test_a_deleted_job_leaves_no_answer_of_any_tracker(
    pulled: TestClient, worker: PlayedWorker
) -> None:
    jobs = [send(pulled, tracker=name).json()["job"] for name in ("lucas-kanade", "cotracker3")]
    assert worker.results.redis.keys("result:*")
    for job in jobs:
        assert pulled.delete(f"/jobs/{job}").status_code == 204
    assert worker.results.redis.keys("result:*") == []
    assert worker.results.redis.keys("tracks:*") == []
