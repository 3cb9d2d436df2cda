"""One POST to a host that may be called, at an address that was checked, and what it says to it.

Written out on a socket, because of what must not happen: the name is looked up once, all of its
addresses are judged, and the connection goes to one of them, so that no second look-up finds
another; no proxy, no redirect; and one limit holds for the time of all of it, however slowly the
other side speaks. Of the answer only the head is read.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message as Headers
from email.parser import HeaderParser
from email.utils import parsedate_to_datetime

from workers.destinations import Destination, is_public

TIMEOUT_S = 8.0  # from the look-up of the name, which has its own limit, to the end of the answer
_CONNECT_S = 3.0  # to one of its addresses
_MAX_HEAD_BYTES = 16 * 1024
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9][0-9])(?: .*)?")


class NotPublic(OSError):
    """The host has an address that is not for everyone; nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    retry_after_s: float | None = None  # when it wants to be asked again


def look_up(host: str, port: int) -> list[str]:
    """All addresses of a host, as this machine's resolver knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How a name becomes addresses, which of them may be called, and whose certificates count."""

    look_up: Callable[[str, int], Sequence[str]] = look_up
    is_public: Callable[[str], bool] = is_public
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


def post(
    destination: Destination,
    body: bytes,
    headers: Mapping[str, str],
    *,
    network: Network,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Send JSON. Raises OSError (NotPublic too) when there is no answer, or none of HTTP's."""
    ends = time.monotonic() + timeout_s
    addresses = _addresses(destination, network)
    with _connected(destination, addresses, network.tls, ends) as connection:
        connection.settimeout(_left(ends))
        connection.sendall(_request(destination, body, headers))
        return _answer(connection, ends)


def _addresses(destination: Destination, network: Network) -> Sequence[str]:
    addresses = network.look_up(destination.host, destination.port)
    for address in addresses:
        if not network.is_public(address):
            raise NotPublic(f"{destination.host} has the address {address}, which is not public")
    return addresses


def _connected(
    destination: Destination, addresses: Sequence[str], tls: ssl.SSLContext, ends: float
) -> socket.socket:
    """A connection to the first of the addresses that takes one, encrypted where it has to be."""
    refusal: OSError = ConnectionError(f"{destination.host} has no address")
    for address in addresses:
        try:
            place, limit_s = (address, destination.port), min(_CONNECT_S, _left(ends))
            connection = socket.create_connection(place, timeout=limit_s)
        except OSError as error:
            refusal = error
        else:
            break
    else:
        raise refusal
    if destination.scheme == "http":
        return connection
    try:
        connection.settimeout(_left(ends))
        return tls.wrap_socket(connection, server_hostname=destination.host)
    except BaseException:
        connection.close()
        raise


def _request(destination: Destination, body: bytes, headers: Mapping[str, str]) -> bytes:
    fields = {
        "Host": destination.authority,
        "User-Agent": "PointAction",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    lines = [f"POST {destination.target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _answer(connection: socket.socket, ends: float) -> Answer:
    read = b""
    while True:
        head, end, rest = read.partition(b"\r\n\r\n")
        if end:
            answer = _parsed(head)
            if answer.status >= 200:
                return answer
            read = rest  # what goes before the answer, as 103 does
            continue
        if len(read) > _MAX_HEAD_BYTES:
            raise ConnectionError(f"the head of its answer has more than {_MAX_HEAD_BYTES} bytes")
        connection.settimeout(_left(ends))
        part = connection.recv(4096)
        if not part:
            raise ConnectionError("it hung up without an answer")
        read += part


def _parsed(head: bytes) -> Answer:
    first, _, rest = head.decode("latin-1").partition("\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise ConnectionError("its answer is not HTTP/1.1")
    return Answer(
        status=int(status[1]),
        retry_after_s=_retry_after_s(HeaderParser().parsestr(rest, headersonly=True)),
    )


def _retry_after_s(headers: Headers) -> float | None:
    """Of `Retry-After`, which is in seconds or a date."""
    value = str(headers.get("Retry-After", "")).strip()
    if re.fullmatch("[0-9]{1,9}", value):
        return float(value)
    with suppress(ValueError, OverflowError):
        when = parsedate_to_datetime(value).replace(tzinfo=UTC)  # as dates in HTTP are
        return max((when - datetime.now(UTC)).total_seconds(), 0.0)
    return None


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left
