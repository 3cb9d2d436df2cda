"""A service that is attacked over real connections."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.service.serving import read_all


@dataclass(frozen=True)
class Target:
    """A service that can be reached, and the folder that its uploads go through."""

    port: int
    uploads: Path
    patience_s: float = 20.0  # for the next byte

    def connect(self) -> socket.socket:
        caller = socket.create_connection(("127.0.0.1", self.port))
        caller.settimeout(self.patience_s)
        return caller

    def ask(self, request: bytes) -> bytes:
        """All that is answered until the connection ends."""
        with self.connect() as caller:
            with suppress(BrokenPipeError, ConnectionResetError):  # there may be an answer still
                caller.sendall(request)
            return read_all(caller)

    def left(self) -> list[Path]:
        return list(self.uploads.iterdir())


def status(answer: bytes) -> int:
    """Of the first answer; 0: there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
