"""An event loop that shares connections evenly among the processes that accept them.

Loops accept all that knock when they wake. Where several processes wait at one socket, the first to
wake then has every client that came at once, for as long as these keep their connections, and the
other processes have none. Here one is accepted at a time, and then others have a moment for theirs.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvloop

_OTHERS_FIRST_S = 0.001  # a busy process needs longer for its next turn, and so has fewer
_NO_FILES_LEFT_S = 1.0  # before another look, when the process may open no more


class FairLoop(uvloop.Loop):
    async def create_server(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], *args: Any, **options: Any
    ) -> Any:
        """As of every loop; fair where it is given a socket that others may have too."""
        shared, backlog = options.get("sock"), options.get("backlog", socket.SOMAXCONN)
        if shared is None or options.get("ssl") is not None:
            return await super().create_server(protocol_factory, *args, **options)
        return _OneAtATime(self, protocol_factory, shared, backlog)


class _OneAtATime:
    """What uvicorn asks of an asyncio.Server: to close, and to wait for that."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        shared: socket.socket,
        backlog: int,
    ) -> None:
        self._loop = loop
        self._protocol_factory = protocol_factory
        self._shared = shared
        self._accepting: set[asyncio.Task[Any]] = set()
        self._closed = False
        shared.setblocking(False)
        shared.listen(backlog)
        self._listen()

    def close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self._shared)

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._accepting, return_exceptions=True)

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._shared, self._accept)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._shared)
        self._loop.call_later(seconds, self._listen)

    def _accept(self) -> None:
        try:
            connection, _ = self._shared.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process has it, or nobody is there any more
        except OSError:
            self._pause(_NO_FILES_LEFT_S)
            return
        self._pause(_OTHERS_FIRST_S)
        connection.setblocking(False)
        connected = self._loop.create_task(
            self._loop.connect_accepted_socket(self._protocol_factory, connection)
        )
        self._accepting.add(connected)
        connected.add_done_callback(self._accepting.discard)
