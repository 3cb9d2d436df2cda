"""Asking the service, in one line."""

from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from tests.service.conftest import CLIP


def send(
    client: TestClient,
    *,
    clip: bytes = CLIP,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Response:
    """POST a clip to /classify."""
    return client.post(
        "/classify", files={"clip": ("a.mp4", clip)}, data=fields, headers=headers or {}
    )


def problem(answer: Response) -> dict[str, Any]:
    """The problem document, with its `kind`, once it is seen to be one."""
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == answer.status_code
    document["kind"] = document["type"].removeprefix("urn:pointaction:problem:")
    return document
