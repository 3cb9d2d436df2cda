import hashlib

import pytest
from starlette.testclient import TestClient

from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker
from tests.service.requests import problem, send
from workers.blobs import clip_name
from workers.jobs import Problem


@pytest.fixture
def job(client: TestClient) -> str:
    """The id of a job that has succeeded."""
    return str(send(client).json()["job"])


def test_an_overlay_is_drawn_once(client: TestClient, worker: PlayedWorker, job: str) -> None:
    for _ in range(2):
        answer = client.get(f"/jobs/{job}/overlay")
        assert (answer.status_code, answer.content) == (200, b"mp4 of mean")
        assert answer.headers["content-type"] == "video/mp4"
    assert len(worker.submitted) == 2  # the clip and the drawing


def test_jobs_of_the_same_content_share_a_drawing(client: TestClient, worker: PlayedWorker) -> None:
    for _ in range(2):
        assert client.get(f"/jobs/{send(client).json()['job']}/overlay").status_code == 200
    assert len(worker.submitted) == 2


def test_a_head_and_a_format_can_be_chosen(client: TestClient, job: str) -> None:
    answer = client.get(f"/jobs/{job}/overlay", params={"head": "1", "format": "png"})
    assert (answer.content, answer.headers["content-type"]) == (b"png of 1", "image/png")


@pytest.mark.parametrize("head", ["2", "-1", "all", "../x", "01"])
def test_a_head_that_there_is_not_is_refused(client: TestClient, job: str, head: str) -> None:
    document = problem(client.get(f"/jobs/{job}/overlay", params={"head": head}))
    assert (document["kind"], document["limit"], document["value"]) == ("unknown-head", 1, head)


def test_a_format_that_there_is_not_is_refused(client: TestClient, job: str) -> None:
    document = problem(client.get(f"/jobs/{job}/overlay", params={"format": "gif"}))
    assert (document["kind"], document["status"], document["value"]) == (
        "invalid-request",
        422,
        "gif",
    )
    assert document["errors"][0]["where"] == "query.format"


def test_browsers_can_seek(client: TestClient, job: str) -> None:
    whole = client.get(f"/jobs/{job}/overlay").content
    part = client.get(f"/jobs/{job}/overlay", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, whole[2:5])
    assert part.headers["content-range"] == f"bytes 2-4/{len(whole)}"


def test_a_range_outside_the_file_is_a_problem(client: TestClient, job: str) -> None:
    answer = client.get(f"/jobs/{job}/overlay", headers={"Range": "bytes=999-"})
    document = problem(answer)
    assert (document["kind"], document["status"]) == ("range-not-satisfiable", 416)
    assert document["limit"] == len(b"mp4 of mean")
    assert answer.headers["content-range"] == "bytes */11"


def test_who_has_the_drawing_is_not_sent_it_again(client: TestClient, job: str) -> None:
    tag = client.get(f"/jobs/{job}/overlay").headers["etag"]
    answer = client.get(f"/jobs/{job}/overlay", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    other = client.get(f"/jobs/{job}/overlay?format=png", headers={"If-None-Match": tag})
    assert other.status_code == 200


def test_who_does_not_wait_is_told_where_to_ask(
    client: TestClient, worker: PlayedWorker, job: str
) -> None:
    worker.gate.clear()
    no_wait = {"Prefer": "wait=0"}
    first = client.get(f"/jobs/{job}/overlay", headers=no_wait)
    second = client.get(f"/jobs/{job}/overlay", headers=no_wait)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.headers["location"] == second.headers["location"]
    assert client.get(first.headers["location"]).json()["kind"] == "overlay"
    worker.gate.set()
    assert client.get(f"/jobs/{job}/overlay").status_code == 200


def test_a_drawing_that_failed_says_why(client: TestClient, worker: PlayedWorker, job: str) -> None:
    worker.problem = Problem(kind="internal", detail="no pencil")
    document = problem(client.get(f"/jobs/{job}/overlay"))
    assert (document["status"], document["detail"]) == (500, "no pencil")


def test_a_drawing_that_was_swept_is_drawn_again(
    client: TestClient, worker: PlayedWorker, job: str
) -> None:
    client.get(f"/jobs/{job}/overlay")
    (drawing,) = worker.blobs.fs.find(f"{worker.blobs.root}/overlays")
    worker.blobs.fs.rm_file(drawing)
    assert client.get(f"/jobs/{job}/overlay").status_code == 200


def test_weights_that_have_left_the_cache_do_not_keep_it_from_being_drawn(
    client: TestClient, worker: PlayedWorker, job: str
) -> None:
    worker.results.redis.flushall()
    assert client.get(f"/jobs/{job}/overlay").status_code == 200


def test_without_the_clip_nothing_can_be_drawn(
    client: TestClient, worker: PlayedWorker, job: str
) -> None:
    worker.blobs.delete(clip_name(hashlib.sha256(CLIP).hexdigest()))
    assert problem(client.get(f"/jobs/{job}/overlay"))["kind"] == "expired"


def test_a_drawing_has_no_attention_of_its_own(
    client: TestClient, worker: PlayedWorker, job: str
) -> None:
    client.get(f"/jobs/{job}/overlay")
    document = problem(client.get(f"/jobs/{worker.submitted[1]}/attention"))
    assert document["kind"] == "no-result"
    assert job in document["detail"]
