"""What the schema promises, asked of every route with what nobody would send on purpose.

`make fuzz` asks the same of a live service, and more of it.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema
from schemathesis.transport.serialization import Binary

from service.app import create_app
from service.settings import ServiceSettings
from tests.conftest import RedisServers
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker
from tests.service.serving import listening
from tests.service.test_openapi import SCHEMA
from workers.presence import beat

CONFORMS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FEW = hypothesis.settings(
    max_examples=2,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module")
def served(
    running_redis: RedisServers, tmp_path_factory: pytest.TempPathFactory, model_store: Path
) -> Iterator[str]:
    """The URL of a service with a played worker."""
    data = tmp_path_factory.mktemp("schema")
    settings = ServiceSettings(
        data_dir=data,
        model_store=model_store,
        default_model="tiny",
        broker_url=running_redis.broker_url,
        cache_url=running_redis.cache_url,
        submits_per_minute=0,
        reads_per_minute=0,
        default_wait_s=0,
        max_wait_s=5,
    )
    with PlayedWorker(settings) as worker, listening(create_app(settings, queue=worker)) as port:
        beat(worker.store.redis, "played", ttl_s=600)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def described(served: str) -> OpenApiSchema:
    return schemathesis.openapi.from_url(f"{served}/openapi.json")


ROUTES = [
    (path, method)
    for path, operations in json.loads(SCHEMA.read_text(encoding="utf-8"))["paths"].items()
    for method in operations
]


@pytest.mark.parametrize(("path", "method"), ROUTES)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_route_keeps_to_the_schema(
    described: OpenApiSchema, path: str, method: str, mode: GenerationMode
) -> None:
    """What the schema allows and what it forbids; the latter is refused."""
    operation = described[path][method]

    @FEW
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def keeps_to_it(case: Case[Any]) -> None:
        case.call_and_validate(checks=[*CONFORMS, negative_data_rejection])

    with suppress(Unsatisfiable):  # nothing is forbidden where nothing can be said
        keeps_to_it()


ABOUT_ONE = [(path, method) for path, method in ROUTES if "{" in path]


@pytest.mark.parametrize(("path", "method"), ABOUT_ONE)
def test_what_is_there_is_told_as_the_schema_says(
    described: OpenApiSchema, served: str, path: str, method: str
) -> None:
    with httpx.Client(base_url=served) as client:
        names = existing(client)
    if path.endswith("/segments"):
        names["job_id"] = names["timeline"]
    wanted = {name: value for name, value in names.items() if f"{{{name}}}" in path}
    case = described[path][method].Case(path_parameters=wanted)
    if method == "post":
        case.media_type = "multipart/form-data"
        case.body = {"clip": Binary(CLIP)}
    if method == "patch":
        case.media_type, case.body = "application/json", {"name": "mine"}
    answer = case.call(headers={"Prefer": "wait=5"})
    case.validate_response(answer, checks=CONFORMS)
    # An example cannot be added from a form that has none.
    assert answer.status_code == 422 if path.endswith("/support") else answer.status_code < 300


def existing(client: httpx.Client) -> dict[str, str]:
    """Ids of jobs that have ended, of an episode and of one of its examples; a model's name."""
    clips = [("support", ("a", CLIP + letter)) for letter in (b"a", b"b", b"c")]
    episode = client.post("/episodes", files=clips, data={"labels": ["a", "a", "b"]}).json()
    wait = {"Prefer": "wait=5"}
    job = client.post("/classify", files={"clip": ("a", CLIP)}, headers=wait).json()
    timeline = client.post("/timelines", files={"clip": ("a", CLIP)}, headers=wait).json()
    return {
        "job_id": job["job"],
        "timeline": timeline["job"],
        "episode_id": episode["id"],
        "example_id": episode["classes"][0]["examples"][0]["id"],
        "name": "tiny",
    }
