"""What is said to a server, apart from how its bytes are carried.

What is said is a generator, `Steps`: it yields a `Call` and is sent an `Answer` or `Lost`, or
yields a `Pause` and is sent nothing. `Client` and `AsyncClient` differ in how they take such steps,
and in nothing else.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, TypeAlias, TypeVar

from pointaction.client.reading import parse

T = TypeVar("T")
# Of a form: its name, and a file's name (None: it is a text) with the content.
Part: TypeAlias = tuple[str, tuple[str | None, "str | bytes | IO[bytes]"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Sequence[Part] = ()
    json: Any = None  # the body, where that is no form
    takes: frozenset[int] = frozenset({200, 201, 202, 204})  # what is no problem
    repeatable: bool = True  # whether it does once what it is sent for, however often it comes
    silence_s: float = 60.0  # after which the server is taken to be gone
    # Is given the body of a 200 in parts as they come, until it answers that it has enough.
    listener: Callable[[bytes], bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]  # by any case
    body: bytes

    def json(self) -> Any:
        """Raises PointActionError where it is none."""
        return parse(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """No answer came, or not all of it."""

    sent: bool  # whether the server may have got the request
    why: str


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Outcome: TypeAlias = Answer | Lost
Steps: TypeAlias = Generator[Call | Pause, Any, T]


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when something is waited for."""

    at: float  # time.monotonic()

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        return self.at - time.monotonic()

    @property
    def over(self) -> bool:
        return self.left_s < 0
