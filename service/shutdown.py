"""Who waits for a job must not keep a server from stopping."""

import signal
import threading
from types import FrameType

from sse_starlette.sse import AppStatus


def stopping() -> bool:
    """Whether this process has been told to stop."""
    return bool(AppStatus.should_exit)


def listen() -> None:
    """Let waiting requests and event streams know of SIGTERM and SIGINT, before the server acts.

    uvicorn itself tells the application only once all requests have ended, which is too late for
    those that wait. Outside a main thread (in tests) there is nothing to listen to.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def told(number: int, frame: FrameType | None, before: object = before) -> None:
            AppStatus.should_exit = True  # event streams watch it already
            if callable(before):
                before(number, frame)

        signal.signal(number, told)
