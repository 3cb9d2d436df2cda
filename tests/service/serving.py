"""Services that ask for keys, and real connections to them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.service.doubles import eventually


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def at_home(client: TestClient, *, host: str = "127.0.0.1:8000") -> TestClient:
    """Another client of the same service, on the service's own machine."""
    return asking_from("127.0.0.1", client, host=host)


def asking_from(address: str, client: TestClient, *, host: str = "clips.example") -> TestClient:
    """Another client of the same service, with this address."""
    other = TestClient(client.app, base_url=f"http://{host}", client=(address, 50000))
    other.portal = client.portal  # the event loop to which the service's connections belong
    return other


class Counting:
    """An application that tells how many bytes of bodies it has read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.read = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            message = await receive()
            self.read += len(message.get("body", b""))
            return message

        await self.app(scope, counted, send)


@contextmanager
def listening(app: ASGIApp, *, http: str = "service.connection:Connection") -> Iterator[int]:
    """The port on which uvicorn serves the application, in a thread; `http` reads connections."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, http=http)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert eventually(lambda: server.started)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:  # what came before it is there still
        pass
    return b"".join(parts)
