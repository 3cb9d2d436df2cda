"""HTTP over a socket, with as little work as will do: what the clients take, the service lacks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_MOST_HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class Connection:
    """One request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> Answer:
        """Raises OSError and IncompleteReadError where the other side hangs up."""
        self.writer.write(request)
        await self.writer.drain()
        status, headers = await self.head()
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(status, headers, body)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer that comes next."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_MOST_HEAD_BYTES)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


async def ask(port: int, request: bytes) -> Answer:
    """One request by a connection of its own."""
    async with connected(port) as connection:
        return await connection.ask(request)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
