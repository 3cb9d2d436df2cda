from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.service.doubles import PlayedWorker
from tests.service.requests import problem, send


@pytest.fixture
def guarded(settings: ServiceSettings, worker: PlayedWorker) -> Iterator[TestClient]:
    """A service with the keys `one` and `two`."""
    keys = settings.model_copy(update={"api_keys": SecretStr("one, two"), "open": False})
    with TestClient(create_app(keys, queue=worker)) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "headers", [{}, bearer("three"), bearer(""), {"Authorization": "Basic one"}, bearer("öne")]
)
def test_without_a_valid_key_the_answer_is_401(
    guarded: TestClient, headers: dict[str, str]
) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = guarded.get("/models", headers=raw)
    assert problem(answer)["kind"] == "unauthorised"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_each_of_the_keys_opens(guarded: TestClient) -> None:
    for key in ("one", "two"):
        assert send(guarded, headers=bearer(key)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/web/style.css", "/health/live", "/docs", "/openapi.json"])
def test_what_is_open_needs_no_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_a_body_is_not_read_before_the_key_is(guarded: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        raise AssertionError("somebody reads")
        yield b""

    # The test client reads the body when the application does.
    answer = guarded.post("/classify", content=chunks())
    assert problem(answer)["kind"] == "unauthorised"


def test_one_clients_idempotency_key_is_not_anothers(guarded: TestClient) -> None:
    first = send(guarded, headers=bearer("one") | {"Idempotency-Key": "k"})
    second = send(guarded, headers=bearer("two") | {"Idempotency-Key": "k"}, top_k="1")
    assert (first.status_code, second.status_code) == (200, 200)


def test_a_stated_length_over_the_limit_is_refused_before_reading(client: TestClient) -> None:
    for length in ("262145", "9" * 5000):
        answer = client.post("/classify", content=b"", headers={"Content-Length": length})
        document = problem(answer)
        assert (document["kind"], document["limit"]) == ("body-too-large", 262144)


def test_browsers_are_told_not_to_guess(client: TestClient) -> None:
    for path in ("/", "/health/live", "/nowhere"):
        assert client.get(path).headers["x-content-type-options"] == "nosniff"
