import hashlib

import pytest
from starlette.testclient import TestClient

from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker
from tests.service.requests import problem, send
from tests.service.teaching import ask, clip, examples_of, read
from workers.blobs import clip_name

EBML = b"\x1a\x45\xdf\xa3" + bytes(8)


def test_what_was_sent_comes_back_in_ranges(client: TestClient) -> None:
    job = send(client).json()["job"]
    answer = client.get(f"/jobs/{job}/clip")
    assert (answer.content, answer.headers["content-type"]) == (CLIP, "video/mp4")
    assert f'filename="{job}.mp4"' in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "private, no-cache"
    part = client.get(f"/jobs/{job}/clip", headers={"Range": "bytes=4-11"})
    assert (part.status_code, part.content) == (206, CLIP[4:12])
    known = {"If-None-Match": answer.headers["etag"]}
    assert client.get(f"/jobs/{job}/clip", headers=known).status_code == 304
    beyond = client.get(f"/jobs/{job}/clip", headers={"Range": "bytes=9999-"})
    assert problem(beyond)["kind"] == "range-not-satisfiable"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\x00\x00\x00\x14ftypqt  " + bytes(20), "video/quicktime"),
        (EBML + b"webm" + bytes(20), "video/webm"),
        (EBML + b"matroska" + bytes(20), "video/x-matroska"),
        (b"RIFF\x00\x00\x00\x00AVI " + bytes(20), "video/x-msvideo"),
    ],
)
def test_its_type_is_what_it_begins_as(client: TestClient, data: bytes, media_type: str) -> None:
    job = send(client, clip=data).json()["job"]
    answer = client.get(f"/jobs/{job}/clip")
    assert (answer.content, answer.headers["content-type"]) == (data, media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_queries_and_examples_have_their_clips(client: TestClient, episode: str) -> None:
    query = ask(client, episode, "3w").json()["job"]
    assert client.get(f"/jobs/{query}/clip").content == clip("3w")
    jobs = [each["job"] for each in examples_of(read(client, episode))]
    sent = [client.get(f"/jobs/{job}/clip").content for job in jobs]
    assert sent == [clip("1w"), clip("2w"), clip("1n")]


def test_where_none_was_sent_there_is_none(
    client: TestClient, worker: PlayedWorker, tracks_file: bytes
) -> None:
    of_tracks = client.post("/classify", files={"tracks": ("a", tracks_file)}).json()["job"]
    job = send(client).json()["job"]
    client.get(f"/jobs/{job}/overlay")
    drawing = worker.submitted[-1]
    for without in (of_tracks, drawing):
        document = problem(client.get(f"/jobs/{without}/clip"))
        assert (document["kind"], document["status"], document["job"]) == (
            "no-clip", 404, without,
        )  # fmt: skip


def test_one_that_was_swept_has_expired(client: TestClient, worker: PlayedWorker) -> None:
    job = send(client).json()["job"]
    worker.blobs.delete(clip_name(hashlib.sha256(CLIP).hexdigest()))
    document = problem(client.get(f"/jobs/{job}/clip"))
    assert (document["kind"], document["status"]) == ("expired", 410)
