import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import pytest
import trustme

from tests.workers.receiver import Receiver, receiving
from workers.destinations import Destination
from workers.post import Answer, Network, NotPublic, post

HERE = Network(look_up=lambda host, port: ["127.0.0.1"], is_public=lambda address: True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def at(port: int, *, encrypted: bool = False) -> Destination:
    scheme: Literal["https", "http"] = "https" if encrypted else "http"
    return Destination(scheme=scheme, host="hooks.example", port=port, target="/a?b")


def send(port: int, network: Network = HERE, *, timeout_s: float = 5, **where: bool) -> Answer:
    return post(at(port, **where), b"{}", {"webhook-id": "1"}, network=network, timeout_s=timeout_s)


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that says what it likes to the first who comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                with suppress(OSError):  # when the client has had enough
                    talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_json_is_posted(receiver: Receiver) -> None:
    assert send(receiver.port) == Answer(status=204)
    (request,) = receiver.received
    assert (request.path, request.body) == ("/a?b", b"{}")
    assert request.headers["host"] == f"hooks.example:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "1"


def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.answers = [(307, {"Location": receiver.url("/elsewhere")})]
    assert send(receiver.port).status == 307
    assert len(receiver.received) == 1


def test_no_proxy_of_the_environment_is_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(receiver.port).status == 204


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"]])
def test_one_address_that_is_not_public_is_enough(receiver: Receiver, addresses: list[str]) -> None:
    with pytest.raises(NotPublic, match="not public"):
        send(receiver.port, Network(look_up=lambda host, port: addresses))
    assert receiver.received == []


def test_the_name_is_looked_up_once(receiver: Receiver) -> None:
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    assert send(receiver.port, Network(look_up=rebinding, is_public=lambda a: True)).status == 204
    assert asked == ["hooks.example"]


def test_the_next_address_is_tried_where_the_first_is_dead(receiver: Receiver) -> None:
    network = Network(look_up=lambda *_: ["127.0.0.2", "127.0.0.1"], is_public=lambda a: True)
    assert send(receiver.port, network).status == 204  # it listens at the second alone


def test_a_host_that_is_away_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        send(port)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 99, None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
    ],
)
def test_when_to_come_back(receiver: Receiver, value: str, seconds: float | None) -> None:
    receiver.answers = [(503, {"Retry-After": value})]
    assert send(receiver.port) == Answer(status=503, retry_after_s=seconds)


def test_a_date_to_come_back_at(receiver: Receiver) -> None:
    receiver.answers = [(429, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})]
    answer = send(receiver.port)
    assert answer.retry_after_s is not None
    assert answer.retry_after_s > 7000 * 365 * 86400


def test_what_is_said_before_the_answer_is_not_it() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")

    with talking(talk) as port:
        assert send(port).status == 200


def test_an_answer_that_drips_takes_no_longer_than_may_be() -> None:
    def talk(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b"H")
            time.sleep(0.05)

    began = time.monotonic()
    with talking(talk) as port, pytest.raises(TimeoutError):
        send(port, timeout_s=0.3)
    assert time.monotonic() - began < 4  # the server would go on for 5 s


def test_an_endless_head_is_not_read_to_its_end() -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        while sent < 100_000_000:
            sent += connection.send(b"HTTP/1.1 200 OK\r\nX: y\r\n" * 1000)

    with talking(talk) as port, pytest.raises(ConnectionError, match="16384"):
        send(port)
    assert sent < 100_000_000


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"\r\n\r\n"]
)
def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    with (
        talking(lambda connection: connection.sendall(said)) as port,
        pytest.raises(ConnectionError),
    ):
        send(port)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> Network:
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    return Network(look_up=HERE.look_up, is_public=HERE.is_public, tls=tls)


def test_the_certificate_is_that_of_the_name(authority: trustme.CA) -> None:
    with receiving(server_of(authority, "hooks.example")) as receiver:
        assert send(receiver.port, trusting(authority), encrypted=True).status == 204
    with receiving(server_of(authority, "other.example")) as receiver:
        with pytest.raises(ssl.SSLCertVerificationError):
            send(receiver.port, trusting(authority), encrypted=True)
        assert receiver.received == []


def test_a_certificate_that_nobody_vouches_for_is_refused(authority: trustme.CA) -> None:
    with receiving(server_of(authority, "hooks.example")) as receiver:
        with pytest.raises(ssl.SSLCertVerificationError):
            send(receiver.port, encrypted=True)
        assert receiver.received == []
