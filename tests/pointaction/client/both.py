"""One way to use either client, so that every test is one of both."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from pointaction.client import AsyncClient, AsyncEpisode, AsyncJob, Client


class Awaited:
    """An AsyncClient, or a handle of it, whose methods are awaited where they are called."""

    def __init__(self, target: object, portal: BlockingPortal) -> None:
        self._target = target
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            ask = partial(found, *arguments, **named)
            result = self._portal.call(ask) if inspect.iscoroutinefunction(found) else ask()
            if isinstance(result, AsyncJob | AsyncEpisode):
                return Awaited(result, self._portal)
            return result

        return call


@contextmanager
def opened(kind: str, url: str, **more: Any) -> Iterator[Client]:
    """A client of the kind `sync` or `async`."""
    if kind == "sync":
        with Client(url, **more) as client:
            yield client
    else:
        with start_blocking_portal() as portal:
            awaited: Any = Awaited(AsyncClient(url, **more), portal)
            yield awaited
            awaited.close()
