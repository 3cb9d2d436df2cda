"""A broker that is lost at a moment of the test's choice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import AF_UNIX, SHUT_RDWR, socket
from socketserver import BaseRequestHandler, ThreadingUnixStreamServer


@contextmanager
def hanging_up(path: Path, server: Path, *, at: bytes) -> Iterator[str]:
    """The URL of a way to the Redis on the socket `server`, by way of the socket `path`.

    Whoever is the first to say the word `at` is cut off before Redis hears it.
    """
    said = threading.Event()

    def is_said(words: bytes) -> bool:
        first = at in words and not said.is_set()
        if first:
            said.set()
        return first

    class Connection(BaseRequestHandler):
        def handle(self) -> None:
            with socket(AF_UNIX) as there:
                there.connect(str(server))
                answers = (there, self.request, lambda words: False)
                back = threading.Thread(target=_pass_on, args=answers)
                back.start()
                _pass_on(self.request, there, is_said)
                back.join()

    class Proxy(ThreadingUnixStreamServer):
        daemon_threads = True
        block_on_close = False  # a worker that still runs holds its connections

    with Proxy(str(path), Connection) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"unix://{path}?db=0"
        finally:
            proxy.shutdown()
            thread.join()
    assert said.is_set()


def _pass_on(source: socket, target: socket, cut: Callable[[bytes], bool]) -> None:
    """Until one of the two hangs up or `cut` says so; then both are hung up."""
    with suppress(OSError):
        while (words := source.recv(65536)) and not cut(words):
            target.sendall(words)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(SHUT_RDWR)
