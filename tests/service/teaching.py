"""Teaching and asking the service, in one line."""

from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from tests.service.conftest import CLIP

NO_WAIT = {"Prefer": "wait=0"}
# To the played worker a clip is what its last byte is.
TWO_CLASSES = [("wave", "1w"), ("wave", "2w"), ("nod", "1n")]


def clip(word: str) -> bytes:
    return CLIP + word.encode()


def post(
    client: TestClient,
    path: str,
    examples: list[tuple[str, str]],
    *,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Response:
    """Examples as (label, word); every clip has its word for a name."""
    files = [("support", (f"{word}.mp4", clip(word))) for _, word in examples]
    labels = [label for label, _ in examples]
    return client.post(path, files=files, data={"labels": labels, **fields}, headers=headers or {})


def teach(
    client: TestClient,
    examples: list[tuple[str, str]] | None = None,
    *,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Response:
    return post(client, "/episodes", examples or TWO_CLASSES, headers=headers, **fields)


def ask(
    client: TestClient,
    episode: str,
    word: str,
    *,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Response:
    files = {"clip": ("q.mp4", clip(word))}
    path = f"/episodes/{episode}/classify"
    return client.post(path, files=files, data=fields, headers=headers or {})


def read(client: TestClient, episode: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/episodes/{episode}").json()
    return found


def examples_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [example for each in found["classes"] for example in each["examples"]]


def form(*parts: tuple[str, str]) -> list[tuple[str, tuple[None, str]]]:
    """Text fields in their order."""
    return [(name, (None, text)) for name, text in parts]
