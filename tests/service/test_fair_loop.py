"""Tests for the loop that accepts one connection at a time."""

import asyncio
import socket
from collections.abc import Iterator
from functools import partial
from typing import cast

import pytest

from service.fair_loop import FairLoop


@pytest.fixture
def shared() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def knock(shared: socket.socket, times: int) -> list[socket.socket]:
    """So many clients, whom the kernel lets in before anybody has accepted them."""
    return [socket.create_connection(shared.getsockname(), timeout=10) for _ in range(times)]


class Greeter(asyncio.Protocol):
    """Says whose it is to all who come."""

    def __init__(self, name: bytes) -> None:
        self.name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        written = cast(asyncio.Transport, transport)
        written.write(self.name)
        written.close()


def test_two_who_wake_in_turn_get_every_second_client(shared: socket.socket) -> None:
    """As two processes do, each of which has a turn of its loop after the other."""
    loops, sockets = [FairLoop(), FairLoop()], [shared, shared.dup()]
    clients = knock(shared, 6)
    for loop, own, name in zip(loops, sockets, (b"a", b"b"), strict=True):
        loop.run_until_complete(loop.create_server(partial(Greeter, name), sock=own, backlog=8))
    for _ in range(50):
        for loop in loops:
            loop.run_until_complete(asyncio.sleep(0.0002))
    heard = [client.recv(1) for client in clients]
    assert heard.count(b"a") >= 2
    assert heard.count(b"b") >= 2
    for end in [*clients, sockets[1]]:
        end.close()
    for loop in loops:
        loop.close()


def test_nobody_is_accepted_when_it_is_closed(shared: socket.socket) -> None:
    loop = FairLoop()

    async def serve_and_close() -> None:
        server = await loop.create_server(partial(Greeter, b"a"), sock=shared, backlog=8)
        server.close()
        await server.wait_closed()

    loop.run_until_complete(serve_and_close())
    (client,) = knock(shared, 1)
    loop.run_until_complete(asyncio.sleep(0.05))
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    client.close()
    loop.close()


def test_who_has_no_files_left_accepts_later(
    shared: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.fair_loop._NO_FILES_LEFT_S", 0.01)
    loop = FairLoop()
    refusals = iter([OSError(24, "too many open files")])

    class Full(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            for refusal in refusals:
                raise refusal
            return super().accept()

    full = Full(fileno=shared.dup().detach())
    (client,) = knock(shared, 1)

    async def serve() -> bytes:
        server = await loop.create_server(partial(Greeter, b"a"), sock=full, backlog=8)
        heard = await asyncio.to_thread(client.recv, 1)
        server.close()
        return heard

    assert loop.run_until_complete(serve()) == b"a"
    client.close()
    full.close()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_a_server_of_its_own_address_is_the_usual_one() -> None:
    loop = FairLoop()
    server = loop.run_until_complete(
        loop.create_server(partial(Greeter, b"a"), host="127.0.0.1", port=0)
    )
    with socket.create_connection(server.sockets[0].getsockname(), timeout=10) as client:
        loop.run_until_complete(asyncio.sleep(0.05))
        assert client.recv(1) == b"a"
    server.close()
    loop.close()
