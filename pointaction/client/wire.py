"""How steps look to httpx, and its outcomes to steps."""

from typing import Any

import httpx

from pointaction.client.steps import Answer, Call, Lost

# Before any of these the server has seen nothing of the request.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def connection(url: str, key: str | None) -> dict[str, Any]:
    """What a client of httpx is made with."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return {"base_url": url, "headers": headers}


def request(call: Call) -> dict[str, Any]:
    """Files are read as they are sent, and from their beginning each time."""
    return {
        "method": call.method,
        "url": call.path,
        "params": dict(call.params),
        "headers": dict(call.headers),
        "files": list(call.form) or None,  # texts too, so that it always is multipart
        "json": call.json,
        "timeout": httpx.Timeout(call.silence_s, connect=10.0),
    }


def answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(status=response.status_code, headers=response.headers, body=body)


def lost(error: httpx.TransportError) -> Lost:
    why = str(error) or type(error).__name__
    return Lost(sent=not isinstance(error, _NOT_SENT), why=why)
