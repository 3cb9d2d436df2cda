"""A server that answers what it is told to, in turn, and remembers what it was asked."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Message
    body: bytes


Reply = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int, document: Any = None, **headers: str) -> Reply:
    """Answers with JSON; a name of `headers` has underscores where it has dashes."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps(document).encode()
        _head(handler, status, {"Content-Length": str(len(body)), **headers})
        handler.wfile.write(body)

    return write


def problem(status: int, kind: str, detail: str = "no", **headers: str) -> Reply:
    document = {"type": f"urn:pointaction:problem:{kind}", "title": "No", "status": status}
    return reply(status, document | {"detail": detail, "limit": 1, "value": 2}, **headers)


def drop(handler: BaseHTTPRequestHandler) -> None:
    """The connection ends before a byte of an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def events(*parts: str) -> Reply:
    """These, and then the connection breaks."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        headers = {"Content-Type": "text/event-stream", "Content-Length": "100000"}
        _head(handler, 200, headers)
        for part in parts:
            handler.wfile.write(part.encode())

    return write


def job(state: str, **more: Any) -> dict[str, Any]:
    """A job as GET /jobs/{id} tells it."""
    nothing = dict.fromkeys(["stage", "position", "started_at", "finished_at", "result", "problem"])
    always = {"id": "j", "kind": "classify", "state": state, "progress": 0.0, "attempts": 1}
    at = {"created_at": "2026-01-01T00:00:00Z", "timings_ms": {}}
    return nothing | always | at | more


def answer(**more: Any) -> dict[str, Any]:
    """Of a clip that moves left."""
    used = {"name": "tiny", "version": "1", "digest": "d", "licence": "Apache-2.0"}
    clip = {"sha256": "s", "duration_s": 3.0, "frames": 48, "width": 320, "height": 180}
    predictions = [{"label": "left", "score": 0.75}, {"label": "right", "score": 0.25}]
    known = {"job": "j", "clip": clip, "model": used, "predictions": predictions}
    return known | {"none_of_these": False} | more


@dataclass
class Scripted:
    url: str
    replies: list[Reply] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def say(self, *replies: Reply) -> None:
        self.replies.extend(replies)


@contextmanager
def scripted() -> Iterator[Scripted]:
    """What is asked beyond the script is answered with 404."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.requests.append(Request(self.command, self.path, self.headers, body))
            write = script.replies.pop(0) if script.replies else problem(404, "not-found")
            write(self)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script = Scripted(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield script
        server.shutdown()
        thread.join()


def _head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
