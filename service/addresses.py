"""Where requests come from."""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

_ONE_CALLER = 64  # bits of an IPv6 address; whoever has one has the whole network of so many
_FROM_HERE = ("none", "same-origin")  # what browsers say of a page's own requests


def is_loopback(host: str) -> bool:
    """Whether this name or address is that of the machine itself."""
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_local(scope: Scope) -> bool:
    """Whether a request comes straight from this machine, and of its user's own will.

    Not through a proxy, nor at the bidding of a page from elsewhere that a browser shows, be it
    under a name that was made to mean this machine (DNS rebinding) or not.
    """
    headers = Headers(scope=scope)
    return (
        is_loopback(_peer(scope))
        and "forwarded" not in headers
        and "x-forwarded-for" not in headers
        and is_loopback(_name(headers.get("host", "")))
        and headers.get("sec-fetch-site", "none") in _FROM_HERE
    )


def network(scope: Scope) -> str:
    """The address that a request is counted for: of IPv6 the network, which is one caller's."""
    peer = _peer(scope)
    address = _address(peer)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _ONE_CALLER), strict=False))
    return peer if address is None else str(address)


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _name(host: str) -> str:
    """Without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # An IPv4 caller of a server that listens on both, else all of them would be one network.
    return getattr(address, "ipv4_mapped", None) or address
