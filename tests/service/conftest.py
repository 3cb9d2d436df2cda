"""A web process with real Redis servers behind it and a played worker."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from pointaction.models.calibration import Calibration
from service.app import create_app
from service.settings import ServiceSettings
from tests.conftest import RedisServers
from tests.service.doubles import SCORES, PlayedWorker, eventually, three_tracks

# Enough of an MP4 for the intake, which looks at the first box only.
CLIP = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42" + bytes(100)
WEIGHTS = b"weights"


@pytest.fixture(scope="session")
def model_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the model `tiny`, the heads `strm` and `trokens`, and `planned`.

    The weights of `planned` are not there; it is calibrated, and less sure of `SCORES` than it
    would have to be.
    """
    store = tmp_path_factory.mktemp("model_store")
    (store / "labels.txt").write_text("\n".join(SCORES))
    (store / "tiny.safetensors").write_bytes(WEIGHTS)
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    calibration = Calibration(temperature=2.0, threshold=0.75, score="sureness")
    calibration.save(store / "calibration.json")
    planned = _table("planned", "0" * 64) + '\ncalibration = "calibration.json"'
    heads = [_table(name, digest, task="fewshot") for name in ("strm", "trokens")]
    tables = [_table("tiny", digest), *heads, planned]
    (store / "catalog.toml").write_text("\n".join(tables))
    return store


def _table(name: str, digest: str, *, task: str = "classification") -> str:
    values = {
        "version": "1",
        "task": task,
        "builder": "traction_tiny",
        "file": "tiny.safetensors" if task == "fewshot" else f"{name}.safetensors",
        "sha256": digest,
        "licence": "Apache-2.0",
        "source": "made for a test",
        "parameters": 1,
        "labels": "labels.txt",
        "card": "README.md",
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[models.{name}]", *lines, "commercial_use = true", "inputs = {frames = 4}"])


@pytest.fixture
def settings(redis_servers: RedisServers, data_dir: Path, model_store: Path) -> ServiceSettings:
    return ServiceSettings(
        data_dir=data_dir,
        model_store=model_store,
        default_model="tiny",
        broker_url=redis_servers.broker_url,
        cache_url=redis_servers.cache_url,
        blob_url=str(data_dir / "blobs"),
        max_upload_mb=0.25,
        api_keys=SecretStr(""),
        open=True,  # the test client comes from nowhere
        submits_per_minute=0,
        reads_per_minute=0,
    )


@pytest.fixture
def worker(settings: ServiceSettings) -> Iterator[PlayedWorker]:
    with PlayedWorker(settings) as worker:
        yield worker


@pytest.fixture
def client(settings: ServiceSettings, worker: PlayedWorker) -> Iterator[TestClient]:
    with TestClient(create_app(settings, queue=worker)) as client:
        yield client


@pytest.fixture
def tracks_file() -> bytes:
    return three_tracks().to_bytes()


@pytest.fixture
def episode(client: TestClient) -> str:
    """The id of one that is ready: two examples of wave, one of nod."""
    from tests.service.teaching import read, teach  # which need CLIP of this module

    id = str(teach(client, name="mine").json()["id"])
    assert eventually(lambda: read(client, id)["progress"] == 1)
    return id
