"""A client against a server that has its own pace."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.remote import RemoteService


class Busy(BaseHTTPRequestHandler):
    """Refuses the first `refusals` requests for coming too soon, then answers."""

    refusals = 0
    wait_s = "0"
    bodies: list[bytes] = []  # of the class, since each request is a new one

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        soon = len(self.bodies) <= self.refusals
        answer = {"title": "Too many requests", "detail": "too soon"} if soon else {"job": "j"}
        body = json.dumps(answer).encode()
        self.send_response(429 if soon else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", self.wait_s)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def server() -> Iterator[str]:
    Busy.bodies = []
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_came_too_soon_is_sent_again_whole(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Busy, "refusals", 2)
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"a clip of some bytes")
    service = RemoteService(server, None)
    assert service.classify(clip, top_k=1) == {"job": "j"}
    service.close()
    assert len(Busy.bodies) == 3
    assert all(b"a clip of some bytes" in body for body in Busy.bodies)


def test_nobody_waits_longer_than_is_sensible(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Busy, "refusals", 1)
    monkeypatch.setattr(Busy, "wait_s", "86400")
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"a")
    service = RemoteService(server, None)
    with pytest.raises(InputError, match="too soon"):
        service.classify(clip, top_k=1)
    service.close()
