from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from service.openapi import as_text

SCHEMA = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"


def test_the_committed_schema_is_the_one_that_is_served(client: TestClient) -> None:
    app: Any = client.app
    assert SCHEMA.read_text(encoding="utf-8") == as_text(app), "run: make openapi"
    assert client.get("/openapi.json").json() == app.openapi()


def test_every_answer_names_its_problems_and_its_request_id(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert "application/problem+json" in answers["default"]["content"], (path, method)
            assert all("X-Request-ID" in answer["headers"] for answer in answers.values())


def test_the_form_is_described(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    body = schema["paths"]["/classify"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert set(body["schema"]["properties"]) == {
        *("clip", "tracks", "model", "points", "tracker", "depth", "top_k", "attention"),
        "callback_url",
    }


def test_the_answer_says_what_it_means_not_to_know(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    answer = schemas["Recognition"]
    assert "none_of_these" in answer["required"]
    field = answer["properties"]["none_of_these"]
    assert {"type": "null"} in field["anyOf"]
    assert "calibrated" in field["description"]
    assert "calibrated" in schemas["ModelAnswer"]["required"]
