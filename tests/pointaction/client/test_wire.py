"""Steps as requests."""

from contextlib import ExitStack
from pathlib import Path

import httpx

from pointaction.client import wire
from pointaction.client.sources import file_part
from pointaction.client.steps import Call


def test_a_large_file_is_read_as_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    size = 32 * 1024 * 1024
    with path.open("wb") as file:
        file.truncate(size)
    with ExitStack() as opened, httpx.Client(**wire.connection("http://here", None)) as client:
        call = Call(method="POST", path="/classify", form=[file_part(path, opened)])
        request = client.build_request(**wire.request(call))
        assert isinstance(request.stream, httpx.SyncByteStream)
        chunks = [len(chunk) for chunk in request.stream]
    assert sum(chunks) == int(request.headers["Content-Length"]) > size
    assert max(chunks) <= 1024 * 1024


def test_texts_alone_are_a_multipart_form_too() -> None:
    call = Call(
        method="POST", path="/episodes", form=[("labels", (None, "a")), ("jobs", (None, "j"))]
    )
    with httpx.Client(**wire.connection("http://here/behind/a/proxy", "k")) as client:
        request = client.build_request(**wire.request(call))
    assert request.headers["Content-Type"].startswith("multipart/form-data")
    assert request.url == "http://here/behind/a/proxy/episodes"
    assert request.headers["Authorization"] == "Bearer k"
