import io
import pickle
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker, three_tracks
from tests.service.requests import problem, send

BOUNDARY = {"Content-Type": "multipart/form-data; boundary=x"}
FILE = b'--x\r\nContent-Disposition: form-data; name="clip"; filename="a.mp4"\r\n\r\n'


@pytest.fixture(autouse=True)
def _nothing_is_queued_or_left(
    settings: ServiceSettings, worker: PlayedWorker, client: TestClient
) -> Any:
    """Every request of this file is refused, and so must leave no trace."""
    yield
    assert worker.submitted == []
    assert list((settings.data_dir / "uploads").iterdir()) == []


def test_an_empty_file_is_refused(client: TestClient) -> None:
    document = problem(send(client, clip=b""))
    assert (document["kind"], document["status"], document["value"]) == ("empty-file", 422, 0)


@pytest.mark.parametrize(
    "content",
    [
        b"this is text, whatever its name says",
        b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(100),
        b"\xff\xd8\xff\xe0" + bytes(2000),
        b"x",
    ],
)
def test_what_is_no_video_is_refused_by_its_first_bytes(client: TestClient, content: bytes) -> None:
    document = problem(send(client, clip=content))
    assert (document["kind"], document["status"]) == ("unsupported-clip", 415)
    assert document["limit"] == ["mp4", "mov", "webm", "mkv", "avi"]


def test_a_form_without_a_file_is_refused(client: TestClient) -> None:
    answer = client.post("/classify", content=b"--x--\r\n", headers=BOUNDARY)
    document = problem(answer)
    assert (document["kind"], document["limit"], document["value"]) == ("one-file", 1, 0)


@pytest.mark.parametrize("second", ["clip", "tracks"])
def test_a_form_with_two_files_is_refused(client: TestClient, second: str) -> None:
    files = [("clip", ("a.mp4", CLIP)), (second, ("b", CLIP))]
    document = problem(client.post("/classify", files=files))
    assert (document["kind"], document["limit"], document["value"]) == ("one-file", 1, 2)


def test_an_unknown_field_is_refused_by_name(client: TestClient) -> None:
    document = problem(send(client, topk="5"))
    assert (document["kind"], document["status"], document["value"]) == (
        "unknown-field",
        422,
        "topk",
    )
    settings = ["attention", "callback_url", "depth", "model", "points", "top_k", "tracker"]
    known = ["clip", "tracks", *settings]
    assert document["limit"] == known


def test_a_field_that_comes_twice_is_refused(client: TestClient) -> None:
    answer = client.post(
        "/classify", files={"clip": ("a.mp4", CLIP)}, data={"model": ["tiny", "tiny"]}
    )
    assert problem(answer)["kind"] == "invalid-field"


def test_a_text_field_has_at_most_256_bytes(client: TestClient) -> None:
    document = problem(send(client, model="m" * 257))
    assert (document["kind"], document["limit"]) == ("invalid-field", 256)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "video/mp4"])
def test_a_body_that_is_no_form_is_415(client: TestClient, content_type: str) -> None:
    answer = client.post("/classify", content=b"{}", headers={"Content-Type": content_type})
    document = problem(answer)
    assert (document["kind"], document["status"]) == ("unsupported-media-type", 415)
    assert document["value"] == content_type


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all",
        FILE + CLIP,  # ends before its last boundary
        FILE + CLIP + b"\r\n",
        b"--x\r\n" + b"A" * 100_000,  # headers without end
    ],
)
def test_a_malformed_form_is_400(client: TestClient, body: bytes) -> None:
    document = problem(client.post("/classify", content=body, headers=BOUNDARY))
    assert (document["kind"], document["status"]) == ("malformed-multipart", 400)


def members(**changed: Any) -> bytes:
    """A tracks file with some of its arrays changed; None leaves one out."""
    with np.load(io.BytesIO(three_tracks().to_bytes())) as file:
        arrays = dict(file) | changed
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


def billion_tracks() -> bytes:
    """A tracks file whose header promises 10^9 tracks, in a few hundred bytes."""
    header = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 32, 2)}
    np.lib.format.write_array_header_1_0(header, shape)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xy.npy", header.getvalue())
    return buffer.getvalue()


NOT_FINITE = three_tracks().xy.copy()
NOT_FINITE[0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("content", "kind", "status", "value"),
    [
        (pickle.dumps([1, 2, 3]), "unsupported-tracks", 415, None),
        (b"x,y\n1,2\n", "unsupported-tracks", 415, None),
        (b"PK\x03\x04" + bytes(50), "invalid-tracks", 422, None),
        (members(xy=NOT_FINITE), "tracks-not-finite", 422, 1),
        (members(xy=None), "invalid-tracks", 422, None),
        (members(visible=np.ones((2, 4), bool)), "invalid-tracks", 422, [2, 4]),
        (members(query=np.array([[object()] * 3] * 3)), "invalid-tracks", 422, None),
        (members(version=np.array(99)), "tracks-version", 422, 99),
        (billion_tracks(), "too-many-tracks", 422, [10**9, 32, 2]),
    ],
    ids=["pickle", "text", "no zip", "NaN", "missing", "shape", "object", "version", "10^9"],
)
def test_a_bad_tracks_file_is_refused_at_once(
    client: TestClient, content: bytes, kind: str, status: int, value: Any
) -> None:
    document = problem(client.post("/classify", files={"tracks": ("a.tracks.npz", content)}))
    assert (document["kind"], document["status"]) == (kind, status)
    assert document.get("value") == value


def test_a_body_over_the_limit_is_413(client: TestClient) -> None:
    limit = 256 * 1024
    document = problem(send(client, clip=CLIP + bytes(limit)))
    assert (document["kind"], document["status"], document["limit"]) == (
        "body-too-large",
        413,
        limit,
    )
    assert document["value"] > limit


def test_a_body_over_the_limit_is_413_without_content_length(client: TestClient) -> None:
    limit = 256 * 1024
    chunks = [FILE, CLIP, *[bytes(64 * 1024)] * 5]
    answer = client.post("/classify", content=iter(chunks), headers=BOUNDARY)
    document = problem(answer)
    assert (document["kind"], document["status"], document["limit"]) == (
        "body-too-large",
        413,
        limit,
    )
    assert document["value"] > limit


def part(name: bytes, content: bytes, *, file: bytes | None = None) -> bytes:
    filename = b"" if file is None else b'; filename="' + file + b'"'
    head = b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + filename
    return head + b"\r\n\r\n" + content + b"\r\n"


@pytest.fixture
def roomy(settings: ServiceSettings, worker: PlayedWorker) -> Iterator[TestClient]:
    """A service that takes larger bodies."""
    with TestClient(
        create_app(settings.model_copy(update={"max_upload_mb": 8}), queue=worker)
    ) as c:
        yield c


def test_of_10000_files_the_5001st_is_refused(roomy: TestClient) -> None:
    body = b"".join(part(b"support", CLIP[:40], file=b"%d.mp4" % n) for n in range(10_000))
    document = problem(roomy.post("/episodes", content=body, headers=BOUNDARY))
    assert (document["kind"], document["status"]) == ("too-many-parts", 422)
    assert (document["limit"], document["value"]) == (5000, 5001)


@pytest.mark.parametrize("field", ["labels", "jobs"])
def test_no_more_texts_than_files_are_taken(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    monkeypatch.setattr("service.routes.episodes.MAX_FILES", 3)
    body = part(field.encode(), b"a") * 4 + b"--x--\r\n"
    document = problem(client.post("/episodes", content=body, headers=BOUNDARY))
    assert (document["kind"], document["limit"], document["value"]) == ("too-many-parts", 3, 4)


def test_an_upload_that_breaks_off_leaves_nothing(client: TestClient) -> None:
    body = part(b"support", CLIP, file=b"a.mp4") + part(b"support", CLIP, file=b"b.mp4")
    document = problem(client.post("/episodes", content=body, headers=BOUNDARY))
    assert document["kind"] == "malformed-multipart"


def test_a_text_that_is_not_utf8_is_refused(client: TestClient) -> None:
    body = (
        part(b"support", CLIP, file=b"\xff.mp4") + part(b"labels", b"gr\xfc\xdfen") + b"--x--\r\n"
    )
    document = problem(client.post("/episodes", content=body, headers=BOUNDARY))
    assert document["kind"] == "invalid-field"
    assert "'labels', number 1, is not UTF-8" in document["detail"]


def test_a_name_with_control_characters_is_escaped_for_people_and_kept_for_programs(
    client: TestClient,
) -> None:
    body = part(b"support", b"text", file=b"a\x07\x1b[31m.mp4") + b"--x--\r\n"
    document = problem(client.post("/episodes", content=body, headers=BOUNDARY))
    assert document["file"]["name"] == "a\x07\x1b[31m.mp4"
    assert r"'a\x07\x1b[31m.mp4'" in document["detail"]


@pytest.mark.parametrize(
    "header",
    [b"X-Other: 1", b"Content-Disposition: form-data", b'Content-Disposition: file; name="clip"'],
)
def test_a_part_without_a_name_is_malformed(client: TestClient, header: bytes) -> None:
    body = b"--x\r\n" + header + b"\r\n\r\n" + CLIP + b"\r\n--x--\r\n"
    document = problem(client.post("/classify", content=body, headers=BOUNDARY))
    assert (document["kind"], document["status"]) == ("malformed-multipart", 400)
