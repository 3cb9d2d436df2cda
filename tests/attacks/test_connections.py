"""Callers that dawdle, hang up, or send what nobody wants: what it costs the service."""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from starlette.testclient import TestClient

from service import connection
from service.app import create_app
from service.connection import Connection
from service.settings import ServiceSettings
from tests.attacks.requests import FILE, GOOD, post
from tests.attacks.target import Target, status
from tests.service.doubles import PlayedWorker, eventually
from tests.service.requests import send
from tests.service.serving import listening, read_all

FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"
GIGABYTE = 1 << 30
AT_MOST = 64 * 1024  # bytes that a stranger gets read


class Counted(Connection):
    """Counts what is taken off the sockets."""

    read = 0

    def buffer_updated(self, nbytes: int) -> None:
        Counted.read += nbytes
        super().buffer_updated(nbytes)


@pytest.fixture
def target(settings: ServiceSettings, worker: PlayedWorker) -> Iterator[Target]:
    """It lets everyone in."""
    with listening(create_app(settings, queue=worker)) as port:
        yield Target(port, settings.data_dir / "uploads")


@pytest.fixture
def closed(settings: ServiceSettings) -> Iterator[Target]:
    """It lets nobody in, and counts what it reads."""
    Counted.read = 0
    nobody = settings.model_copy(update={"open": False})
    with listening(create_app(nobody), http="tests.attacks.test_connections:Counted") as port:
        yield Target(port, settings.data_dir / "uploads")


@pytest.mark.parametrize("length", [GIGABYTE, -1])
def test_of_a_gigabyte_without_a_key_64_kib_are_read(closed: Target, length: int) -> None:
    """Counted where the server takes bytes off the socket; the answer comes all the same."""
    coding = [] if length > 0 else [b"Transfer-Encoding: chunked\r\n"]
    head = post(b"", FORM, *coding, length=length)
    chunk = bytes(1 << 20) if length > 0 else b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with closed.connect() as caller:
        with suppress(BrokenPipeError, ConnectionResetError):
            caller.sendall(head + bytes(60_000))
            for _ in range(GIGABYTE // len(chunk)):
                caller.sendall(chunk)
        assert status(read_all(caller)) in (401, 400)
    assert 0 < Counted.read <= AT_MOST


def test_who_asks_whether_to_go_on_is_told_no(closed: Target) -> None:
    answer = closed.ask(post(b"", FORM, b"Expect: 100-continue\r\n", length=GIGABYTE))
    assert status(answer) == 401
    assert b"100 Continue" not in answer
    assert Counted.read < 1000


def test_who_may_go_on_is_told_so(target: Target) -> None:
    with target.connect() as caller:
        caller.sendall(post(b"", FORM, b"Expect: 100-continue\r\n", length=len(GOOD)))
        assert caller.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(GOOD)
        assert status(read_all(caller)) == 200


def test_headers_that_drip_are_not_waited_for(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.5)
    with target.connect() as silent, target.connect() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(40):
                slow.sendall(b"X: a\r\n")
                time.sleep(0.05)
        assert read_all(slow) == b""
        assert read_all(silent) == b""
    assert status(target.ask(post(GOOD, FORM))) == 200


def test_a_body_that_drips_is_not_waited_for(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BODY_S", 0.5)
    with target.connect() as slow:
        slow.sendall(post(FILE + bytes(8192), FORM, length=GIGABYTE >> 8))
        with suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(40):
                slow.sendall(b"a")
                time.sleep(0.05)
        assert read_all(slow) == b""
    assert eventually(lambda: target.left() == [])


def test_who_is_made_to_wait_is_not_taken_for_slow(
    target: Target, worker: PlayedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BODY_S", 0.2)
    worker.gate.clear()
    with target.connect() as caller:
        caller.sendall(post(GOOD, FORM, b"Prefer: wait=5\r\n"))
        time.sleep(1)
        worker.gate.set()
        assert status(read_all(caller)) == 200


@pytest.mark.parametrize("kind", ["close", "half-close"])
def test_who_hangs_up_midway_leaves_no_file(target: Target, kind: str) -> None:
    with target.connect() as caller:
        caller.sendall(post(FILE + bytes(100_000), FORM, length=1 << 20))
        assert eventually(lambda: len(target.left()) == 1)
        if kind == "half-close":
            caller.shutdown(1)
            read_all(caller)
    assert eventually(lambda: target.left() == [])


def test_requests_in_a_row_on_one_connection_are_answered(target: Target) -> None:
    one = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with target.connect() as caller:
        caller.sendall(one * 40 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert read_all(caller).count(b"HTTP/1.1 200 OK") == 41


RANGES: list[tuple[str, set[int]]] = [
    ("bytes=0-3", {206}),
    ("bytes=" + ",".join(f"{n}-{n}" for n in range(500)), {200, 206, 416}),
    ("bytes=0-99999999999999999999999999", {206, 416}),
    ("bytes=99999999999999999999999999-", {416}),
    ("bytes=5-2", {416}),
    ("bytes=-0", {416, 206}),
    ("bytes=-" + "9" * 5000, {206, 416}),
    ("bytes=" + "9" * 5000 + "-", {416}),
    ("lines=0-3", {200, 416}),
    ("bytes=a-b", {200, 416}),
]


@pytest.mark.parametrize(("asked", "statuses"), RANGES, ids=[each[:20] for each, _ in RANGES])
def test_a_drawing_is_cut_only_where_it_can_be(
    client: TestClient, asked: str, statuses: set[int]
) -> None:
    job = send(client).json()["job"]
    path = f"/jobs/{job}/overlay"
    client.get(path, headers={"Prefer": "wait=5"})
    answer = client.get(path, headers={"Range": asked, "Prefer": "wait=5"})
    assert answer.status_code in statuses
    assert client.head(path).status_code == 405
