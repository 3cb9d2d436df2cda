import csv
import hashlib
import io
from typing import Any
from xml.etree import ElementTree

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from service.app import create_app
from service.keys import KeyStore
from service.settings import ServiceSettings
from tests.service.conftest import CLIP
from tests.service.doubles import HOLDER, PlayedWorker, eventually
from tests.service.requests import problem, send
from tests.service.serving import bearer
from tests.service.teaching import NO_WAIT, TWO_CLASSES, ask, read, teach
from workers.blobs import clip_name
from workers.jobs import Problem

LEFT = {"start_s": 3.0, "end_s": 6.0, "label": "moving left", "score": 0.6}


def look(
    client: TestClient,
    *,
    clip: bytes = CLIP,
    headers: dict[str, str] | None = None,
    fields: dict[str, str] | None = None,
    **more: str,
) -> Response:
    """POST a video to /timelines."""
    files = {"clip": ("a.mp4", clip)}
    data = {**(fields or {}), **more}
    return client.post("/timelines", files=files, data=data, headers=headers or {})


def begun(client: TestClient, worker: PlayedWorker) -> str:
    """The id of one that a worker has begun and told nothing of."""
    worker.gate.clear()
    job = str(look(client, headers=NO_WAIT).json()["id"])
    worker.store.claim(job, HOLDER)
    return job


def segments(client: TestClient, job: str, **params: str) -> dict[str, Any]:
    answer = client.get(f"/jobs/{job}/segments", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_video_comes_back_as_a_timeline(client: TestClient) -> None:
    answer = look(client)
    assert answer.status_code == 200
    found = answer.json()
    assert found["clip"]["sha256"] == hashlib.sha256(CLIP).hexdigest()
    assert (found["windows"], found["window_s"], found["step_s"]) == (10, 3.0, 1.0)
    assert found["labels"] == ["moving left", "moving right", "standing still"]
    assert (found["model"]["name"], found["episode"], found["tracks"]) == ("tiny", None, 256)
    assert found["href"] == f"/jobs/{found['job']}/segments"
    job = client.get(f"/jobs/{found['job']}").json()
    assert (job["kind"], job["result"], job["expected_s"]) == ("timeline", found, None)


def test_segments_are_read_at_any_threshold(client: TestClient) -> None:
    job = look(client).json()["job"]
    found = segments(client, job, threshold="0.4")
    assert (found["job"], found["complete"], found["threshold"]) == (job, True, 0.4)
    assert (found["until_s"], found["duration_s"], found["expected_s"]) == (12.0, 12.0, None)
    assert found["labels"] == ["standing still", "moving left"]
    (left,) = (each for each in found["segments"] if each["label"] == "moving left")
    assert 2 <= left["start_s"] <= 3.5
    assert 6 <= left["end_s"] <= 7.5
    assert left["score"] == pytest.approx(0.6, abs=1e-3)
    surer = segments(client, job, threshold="0.7")
    assert surer["labels"] == ["standing still"]
    assert segments(client, job, threshold="0.9")["segments"] == []


def test_what_is_known_can_be_read_while_it_grows(client: TestClient, worker: PlayedWorker) -> None:
    job = begun(client, worker)
    nothing = segments(client, job)
    assert (nothing["complete"], nothing["until_s"], nothing["duration_s"]) == (False, 0, None)
    worker.look(job, stop=5)
    some = segments(client, job)
    assert (some["complete"], some["until_s"], some["duration_s"]) == (False, 6.0, 12.0)
    assert some["expected_s"] == 30.0
    assert [each["label"] for each in some["segments"]] == ["standing still", "moving left"]
    shown = client.get(f"/jobs/{job}").json()
    assert (shown["state"], shown["progress"], shown["expected_s"]) == ("running", 0.5, 30.0)


def test_what_was_found_stays_when_the_job_is_cancelled(
    client: TestClient, worker: PlayedWorker
) -> None:
    job = begun(client, worker)
    worker.look(job, stop=5)
    assert client.delete(f"/jobs/{job}").json()["state"] == "cancelled"
    assert segments(client, job)["until_s"] == 6.0
    assert client.delete(f"/jobs/{job}").status_code == 204
    assert worker.blobs.fs.find(worker.blobs.root) == []


@pytest.mark.parametrize(
    ("format", "media_type"),
    [("csv", "text/csv"), ("vtt", "text/vtt"), ("eaf", "application/xml")],
)
@pytest.mark.parametrize("known", [0, 10])
def test_segments_can_be_taken_along(
    client: TestClient, worker: PlayedWorker, format: str, media_type: str, known: int
) -> None:
    job = begun(client, worker)
    if known:
        worker.look(job, stop=known)
    answer = client.get(f"/jobs/{job}/segments", params={"format": format})
    assert answer.headers["content-type"].startswith(media_type)
    assert f'attachment; filename="{job}.segments.{format}"' in answer.headers.values()
    labels = [each["label"] for each in segments(client, job)["segments"]]
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["label"] for row in rows] == labels
    elif format == "vtt":
        assert answer.text.count("-->") == len(labels)
    else:
        tree = ElementTree.fromstring(answer.text)
        assert len(tree.findall(".//ALIGNABLE_ANNOTATION")) == len(labels)


@pytest.mark.parametrize("params", [{"threshold": "0"}, {"threshold": "2"}, {"format": "xls"}])
def test_what_cannot_be_asked_for_is_refused(client: TestClient, params: dict[str, str]) -> None:
    job = look(client).json()["job"]
    document = problem(client.get(f"/jobs/{job}/segments", params=params))
    assert (document["kind"], document["status"]) == ("invalid-request", 422)


def test_a_job_of_another_kind_has_no_segments(client: TestClient) -> None:
    job = send(client).json()["job"]
    document = problem(client.get(f"/jobs/{job}/segments"))
    assert (document["kind"], document["status"], document["value"]) == (
        "no-timeline", 404, "classify",
    )  # fmt: skip


@pytest.mark.parametrize("what", ["attention", "tracks", "overlay"])
def test_a_timeline_has_nothing_of_a_clip_s_answer(client: TestClient, what: str) -> None:
    job = look(client).json()["job"]
    document = problem(client.get(f"/jobs/{job}/{what}"))
    assert document["kind"] == "no-result"
    assert f"/jobs/{job}/segments" in document["detail"]


def test_a_timeline_that_failed_before_it_began_has_none(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.problem = Problem(kind="clip-too-long", detail="too long", limit=21600, value=36000)
    document = problem(look(client))
    assert (document["kind"], document["limit"]) == ("clip-too-long", 21600)
    after = problem(client.get(f"/jobs/{document['job']}/segments"))
    assert (after["kind"], after["value"]) == ("no-result", "failed")


def test_scores_that_were_swept_have_expired(client: TestClient, worker: PlayedWorker) -> None:
    job = look(client).json()["job"]
    assert worker.blobs.sweep(older_than_s=-60) == 2
    assert problem(client.get(f"/jobs/{job}/segments"))["kind"] == "expired"


def test_the_same_video_again_is_answered_from_what_is_kept(
    client: TestClient, worker: PlayedWorker
) -> None:
    first = look(client).json()
    again, other = look(client).json(), look(client, step_s="2").json()
    assert (again["cached"], other["cached"]) == (True, False)
    assert again["job"] != first["job"]
    assert worker.submitted == [first["job"], other["job"]]
    for threshold in ("0.4", "0.7"):
        found = segments(client, again["job"], threshold=threshold)
        kept = segments(client, first["job"], threshold=threshold)
        assert found | {"job": ""} == kept | {"job": ""}


def test_what_was_kept_goes_with_the_last_job_of_its_video(
    client: TestClient, worker: PlayedWorker
) -> None:
    jobs = [look(client, step_s=step).json()["job"] for step in ("1", "1", "2")]
    for job, left in zip(jobs, (3, 3, 0), strict=True):
        assert client.delete(f"/jobs/{job}").status_code == 204
        assert len(worker.blobs.fs.find(worker.blobs.root)) == left
    assert look(client).json()["cached"] is False


def test_another_key_is_answered_by_its_own(client: TestClient, worker: PlayedWorker) -> None:
    keys = KeyStore(worker.store.redis)
    anna, ben = (bearer(keys.create(name)[0]) for name in ("anna", "ben"))
    cached = [look(client, headers=key).json()["cached"] for key in (anna, ben, anna)]
    assert cached == [False, False, True]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tracks", "0"),
        ("tracks", "1e3"),
        ("tracks", "99999"),
        ("window_s", "0"),
        ("window_s", "nan"),
        ("step_s", "-1"),
        ("step_s", "4000"),
        ("step_s", "1" * 30),
    ],
)
def test_windows_have_bounds(client: TestClient, field: str, value: str) -> None:
    document = problem(look(client, fields={field: value}))
    assert (document["kind"], document["status"], document["value"]) == (
        "invalid-field", 422, value,
    )  # fmt: skip
    assert len(document["limit"]) == 2


def test_only_videos_are_taken(client: TestClient, tracks_file: bytes) -> None:
    for clip in (tracks_file, b"no video"):
        assert problem(look(client, clip=clip))["kind"] == "unsupported-clip"
    assert (
        problem(client.post("/timelines", data={"step_s": "1"}))["kind"] == "unsupported-media-type"
    )
    nothing = client.post("/timelines", files={"step_s": (None, "1")})
    assert "as 'clip' (a video)" in problem(nothing)["detail"]


def test_videos_have_a_limit_of_their_own(settings: ServiceSettings, worker: PlayedWorker) -> None:
    larger = settings.model_copy(update={"max_timeline_mb": 0.5})
    with TestClient(create_app(larger, queue=worker)) as client:
        many = CLIP + bytes(300_000)
        assert look(client, clip=many).status_code == 200
        assert problem(send(client, clip=many))["limit"] == 256 * 1024
        document = problem(look(client, clip=CLIP + bytes(600_000)))
    assert (document["kind"], document["limit"]) == ("body-too-large", 512 * 1024)


def test_a_model_that_looks_at_pixels_is_refused(
    client: TestClient, settings: ServiceSettings
) -> None:
    catalog = settings.model_store / "catalog.toml"
    text = catalog.read_text()
    tiny = text.index("[models.tiny]")
    catalog.write_text(text[:tiny] + text[tiny:].replace("{frames = 4}", "{pixels = 224}", 1))
    try:
        document = problem(look(client))
    finally:
        catalog.write_text(text)
    assert (document["kind"], document["status"]) == ("unusable-input", 422)
    assert "tiny looks at pixels; choose a model that takes tracks alone" in document["detail"]


def test_one_key_and_payload_make_one_timeline(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    headers = {"Idempotency-Key": "k1", **NO_WAIT}
    first, again = look(client, headers=headers).json(), look(client, headers=headers).json()
    assert first["id"] == again["id"]
    other = problem(look(client, headers=headers, step_s="2"))
    assert (other["kind"], other["job"]) == ("idempotency-mismatch", first["id"])


def test_quarantined_videos_are_refused(client: TestClient, worker: PlayedWorker) -> None:
    worker.store.redis.hset("jobs:quarantine", hashlib.sha256(CLIP).hexdigest(), "some job")
    assert problem(look(client))["kind"] == "quarantined"


# Episodes


def test_an_episode_s_classes_are_looked_for(client: TestClient, episode: str) -> None:
    found = look(client, episode=episode).json()
    assert (found["episode"], found["head"]["name"]) == (episode, "prototype")
    assert (found["model"]["name"], found["tracker"]["name"]) == ("tiny", "lucas-kanade")
    again = look(client, episode=episode).json()
    assert again["cached"] is True
    assert look(client).json()["cached"] is False


def test_after_another_example_it_is_another_question(client: TestClient, episode: str) -> None:
    assert look(client, episode=episode).json()["cached"] is False
    files = {"support": ("x.mp4", CLIP + b"3w")}
    client.post(f"/episodes/{episode}/support", files=files, data={"labels": ["wave"]})
    assert eventually(lambda: read(client, episode)["progress"] == 1)
    assert look(client, episode=episode).json()["cached"] is False


def test_an_episode_has_to_be_ready(client: TestClient, worker: PlayedWorker) -> None:
    worker.gate.clear()
    episode = teach(client).json()["id"]
    document = problem(look(client, episode=episode, headers=NO_WAIT))
    assert (document["kind"], document["status"]) == ("episode-not-ready", 409)
    assert (document["value"], len(TWO_CLASSES)) == (3, 3)
    assert f"GET /episodes/{episode}" in document["detail"]
    assert not worker.blobs.exists(clip_name(hashlib.sha256(CLIP).hexdigest()))
    worker.gate.set()
    assert eventually(lambda: read(client, episode)["progress"] == 1)
    assert look(client, episode=episode).status_code == 200


def test_examples_that_could_not_be_read_may_leave_too_few_classes(client: TestClient) -> None:
    episode = teach(client, [("wave", "1w"), ("nod", "n!")]).json()["id"]
    assert eventually(lambda: read(client, episode)["progress"] == 1)
    document = problem(look(client, episode=episode))
    assert (document["kind"], document["limit"], document["value"]) == ("too-few-classes", 2, 1)


@pytest.mark.parametrize("field", ["model", "points", "tracker", "depth"])
def test_an_episode_has_its_own_methods(client: TestClient, episode: str, field: str) -> None:
    value = {"model": "tiny", "points": "grid", "tracker": "lucas-kanade", "depth": "looming"}
    document = problem(look(client, episode=episode, fields={field: value[field]}))
    assert (document["kind"], document["value"]) == ("invalid-field", value[field])
    assert f"the episode has its {field}" in document["detail"]


def test_another_key_s_episode_is_not_there(client: TestClient, worker: PlayedWorker) -> None:
    keys = KeyStore(worker.store.redis)
    anna, ben = (bearer(keys.create(name)[0]) for name in ("anna", "ben"))
    episode = teach(client, headers=anna).json()["id"]
    for unknown in (episode, "0" * 32, "nobody", f"{episode}:examples"):
        document = problem(look(client, episode=unknown, headers=ben))
        assert (document["kind"], document["status"]) == ("not-found", 404)


def test_a_match_is_no_timeline(client: TestClient, episode: str) -> None:
    job = ask(client, episode, "3w").json()["job"]
    assert problem(client.get(f"/jobs/{job}/segments"))["value"] == "match"
