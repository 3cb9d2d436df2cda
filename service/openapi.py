"""The OpenAPI schema: what FastAPI knows, with problems and common headers on every answer.

`python -m service.openapi > openapi/openapi.json` writes it; a test compares the two.
"""

import json
import sys
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.access import OPEN_PATHS
from service.answers import ProblemAnswer
from service.problems import KINDS, MEDIA_TYPE

ABOUT: dict[str, Any] = {
    "title": "PointAction",
    "summary": "Says what is being done in a short clip from how points move.",
    "description": "Errors are RFC 9457 problem details; docs/problems.md lists their types.",
    "version": "1",  # of this interface, not of the release
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_REQUEST_ID = {
    "description": "The id of the request, as it stands in logs; a given one is taken over",
    "schema": {"type": "string"},
}
_PROBLEM_SCHEMA = "Problem"
_SECONDS = {"description": "seconds", "schema": {"type": "integer"}}
# What a request that needs a key may meet before it is looked at.
_REFUSALS: dict[str, Any] = {
    "401": {
        "description": "No valid API key",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    },
    "429": {
        "description": "A rate, a quota, the jobs pending or the queue are at their limit",
        "headers": {"Retry-After": _SECONDS},
    },
}


def install(app: FastAPI) -> None:
    """Make `/openapi.json` and `/docs` show this schema."""

    def schema() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _complete(get_openapi(**ABOUT, routes=app.routes))
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]  # as FastAPI's documentation says


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema["components"]
    schemas = components["schemas"]
    # FastAPI's own error format is never sent.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas.pop("ProblemAnswer", None)
    schemas[_PROBLEM_SCHEMA] = _problem_schema()
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "a key that the operator gave out; needed unless the service is open",
        },
        "header": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "the same, for who cannot send Authorization",
        },
    }
    components["headers"] = {"X-Request-ID": _REQUEST_ID}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _complete_operation(path, operation)
    text = json.dumps(schema).replace(
        "#/components/schemas/ProblemAnswer", f"#/components/schemas/{_PROBLEM_SCHEMA}"
    )
    complete: dict[str, Any] = json.loads(text)
    return complete


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{_PROBLEM_SCHEMA}"}}}
    if path not in OPEN_PATHS:
        operation["security"] = [{}, {"key": []}, {"header": []}]
        for status, refusal in deepcopy(_REFUSALS).items():
            responses[status] = refusal | {"content": content}
    responses["default"] = {"description": "A problem", "content": content}
    for response in responses.values():
        headers = response.setdefault("headers", {})
        headers["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}


def _problem_schema() -> dict[str, Any]:
    schema = ProblemAnswer.model_json_schema()
    schema["title"] = _PROBLEM_SCHEMA
    schema["properties"]["type"]["enum"] = [f"urn:pointaction:problem:{kind}" for kind in KINDS]
    return schema


def as_text(app: FastAPI) -> str:
    """The schema as it is committed."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    # Here, because the application imports this module.
    from service.app import create_app
    from service.settings import ServiceSettings

    # Nothing is connected to for a schema.
    nowhere = "unix:///dev/null"
    settings = ServiceSettings(broker_url=nowhere, cache_url=nowhere, blob_url="memory://")
    sys.stdout.write(as_text(create_app(settings)))


if __name__ == "__main__":
    main()
