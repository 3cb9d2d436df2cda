"""Where webhooks may go: to hosts that the operator has named, at addresses anyone could reach."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pointaction.errors import InputError

PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"[A-Za-z][A-Za-z+.-]*://[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
# A name, or an address with IPv6 in brackets; and a port, where it is another than the scheme's.
_HOST = re.compile(
    r"(?P<host>(?=.{1,253}(?::|$))[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_6TO4 = ipaddress.ip_network("2002::/16")  # each stands for an IPv4 address, be it private
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # the last 32 bits are the IPv4 address that is meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A URL that may be sent to, taken apart."""

    scheme: Literal["https", "http"]
    host: str  # as it is looked up: IPv6 without brackets
    port: int
    target: str  # path and query

    @property
    def authority(self) -> str:
        """As the header `Host` has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


class Destinations:
    """The hosts that may be called, from `HOST` and `HOST:PORT` separated by commas.

    A host without a port is called at the port of the scheme alone. Raises ValueError for what is
    neither.
    """

    def __init__(self, hosts: str, *, http: bool) -> None:
        entries = (entry.strip().lower() for entry in hosts.split(","))
        self._allowed = {_host_and_port(entry) for entry in entries if entry}
        self._schemes: dict[str, Literal["https", "http"]] = {"https": "https"}
        if http:
            self._schemes["http"] = "http"

    def __bool__(self) -> bool:
        return bool(self._allowed)

    def at(self, url: str) -> Destination:
        """The place that a URL names; InputError, which does not repeat the URL, says why not."""
        if not _URL.fullmatch(url):
            raise _refused("is no URL, or has a fragment or characters that are to be %-encoded")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _refused("has a host or a port that can be none") from error
        scheme = self._schemes.get(parts.scheme)
        if scheme is None:
            known = " or ".join(self._schemes)
            raise _refused(f"must begin with {known}", limit=[*self._schemes], value=parts.scheme)
        if "@" in parts.netloc:
            raise _refused("must not name a user; put a token into the path or the query")
        host = parts.hostname or ""
        usual = PORTS[scheme]
        port = usual if port is None else port
        if (host, port) not in self._allowed and (
            port != usual or (host, None) not in self._allowed
        ):
            raise _refused(
                "names a host or port that this server does not call; ask its operator to put it "
                "into POINTACTION_WEBHOOK_HOSTS",
                value=f"{host}:{port}",
            )
        query = f"?{parts.query}" if parts.query else ""
        return Destination(
            scheme=scheme, host=host, port=port, target=f"{parts.path or '/'}{query}"
        )


def is_public(text: str) -> bool:
    """Whether this address is one that anyone on the internet could reach.

    Not those of this machine, of private and local networks, multicast, and what is reserved; nor
    IPv6 addresses that stand for an IPv4 address which is none.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address.ipv4_mapped:
            return is_public(str(address.ipv4_mapped))
        if address not in _GLOBAL_UNICAST or address in _6TO4:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _host_and_port(entry: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(entry)
    if found is None:
        raise ValueError(
            f"{entry!r} is not HOST or HOST:PORT; a host is a name or an address, without scheme, "
            "path or wildcard"
        )
    host, port = found["host"].strip("[]"), found["port"]
    if ":" in host:
        ipaddress.ip_address(host)
    return host, None if port is None else int(port)


def _refused(why: str, *, limit: object = None, value: object = None) -> InputError:
    return InputError(f"callback_url {why}", kind="callback-refused", limit=limit, value=value)
