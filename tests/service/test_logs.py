"""What the logs of a whole stack say, and what they must never say."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from starlette.testclient import TestClient

from pointaction.clip import Clip
from service.app import create_app
from service.keys import KeyStore
from service.settings import ServiceSettings
from tests.conftest import RedisServers
from tests.service.conftest import CLIP
from tests.service.serving import bearer
from tests.workers.conftest import settings_at
from tests.workers.scripted import ScriptedLibrary
from workers import traces
from workers.logs import configure
from workers.process import Process
from workers.redis import connect
from workers.tasks import run_job

# Every one of a user's words, by what it is; none is part of another word.
WORDS = {
    what: f"zq{what}qz"
    for what in ("file", "label", "episode", "head", "top", "field", "wrong", "set", "content")
}
ID = "r1"


class Library(ScriptedLibrary):
    """Fails on a clip that ends so in a way that it should not, with its words in the message."""

    def decode(self, path: Path, tracker: str, *, sha256: str) -> Clip:
        if path.read_bytes().endswith(b"break"):
            raise ZeroDivisionError("frames")
        return super().decode(path, tracker, sha256=sha256)


class AtOnce:
    """A queue whose jobs are done, by a worker's code, before `submit` returns."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.process = Process(settings, Library(settings))

    def submit(self, job_id: str) -> None:
        run_job(self.process, job_id)


@pytest.fixture
def served(redis_servers: RedisServers, tmp_path: Path) -> ServiceSettings:
    told = settings_at(tmp_path, redis_servers).model_dump(exclude_none=True)
    asked = {"api_keys": SecretStr(WORDS["set"]), "log_format": "json", "log_level": "debug"}
    return ServiceSettings.given(**told | asked)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch, served: ServiceSettings) -> Iterator[io.StringIO]:
    """What this process logs, as `pointaction serve` does, at the level that tells most."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    configure(served)
    yield written
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def token(served: ServiceSettings) -> str:
    return KeyStore(connect(served.require("broker_url"))).create("alice")[0]


def use(client: TestClient, token: str) -> None:
    """Whatever users do, and do wrong."""
    headers = bearer(token) | {"X-Request-ID": ID}
    word = WORDS

    def send(path: str, clips: list[bytes], part: str = "clip", **fields: Any) -> int:
        files = [(part, (f"{word['file']}.mp4", clip)) for clip in clips]
        return int(client.post(path, files=files, data=fields, headers=headers).status_code)

    good, bad = CLIP + word["content"].encode(), CLIP + b"break"
    assert send("/classify", [good]) == 200
    assert send("/classify", [bad]) == 500
    assert send("/classify", [word["content"].encode()]) == 415
    assert send("/classify", [good], top_k=word["top"]) == 422
    assert send("/classify", [good], **{word["field"]: "1"}) == 422
    labels = [word["label"], "other", "other"]
    shown = [good, good + b"1", bad]
    assert send("/episodes", shown, "support", labels=labels, name=word["episode"]) == 201
    (episode,) = client.get("/episodes", headers=headers).json()
    send(f"/episodes/{episode['id']}/classify", [good + b"2"])
    assert send("/episodes", [good] * 2, "support", labels=labels, head=word["head"]) == 422
    assert client.get("/models", headers=bearer(word["wrong"])).status_code == 401
    assert client.get("/models", headers={"X-API-Key": word["set"]}).status_code == 200


def test_nothing_of_a_user_and_no_secret_is_in_the_logs(
    served: ServiceSettings, stream: io.StringIO, token: str
) -> None:
    with TestClient(create_app(served, queue=AtOnce(served)), client=("127.0.0.1", 1)) as client:
        use(client, token)
    text = stream.getvalue()
    assert "job succeeded" in text
    assert "job failed in a way it should not" in text
    for secret in (*WORDS.values(), token, served.require("broker_url")):
        assert secret not in text
    for line in text.splitlines():
        json.loads(line)


def test_lines_say_to_which_request_job_and_trace_they_belong(
    served: ServiceSettings, stream: io.StringIO, token: str
) -> None:
    traces.begin(SimpleSpanProcessor(InMemorySpanExporter()), service="test")
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = bearer(token) | {"X-Request-ID": ID, "traceparent": f"00-{trace}-{'1' * 16}-01"}
    with TestClient(create_app(served, queue=AtOnce(served))) as client:
        files = {"clip": ("a.mp4", CLIP)}
        job = client.post("/classify", files=files, headers=headers).json()["job"]
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = {line["event"]: line for line in lines if line.get("request") == ID}
    assert {"job started", "job succeeded", "request"} <= told.keys()
    for event in ("job started", "job succeeded", "request"):
        assert (told[event]["job"], told[event]["trace"]) == (job, trace)
