"""Models that are registered, chosen and gone back to while the service runs."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pointaction.models.catalog import find
from pointaction.models.digests import digest
from pointaction.models.inventory import set_default
from pointaction.training.register import prepare_store, register
from service.app import create_app
from service.settings import ServiceSettings
from tests.service.conftest import WEIGHTS
from tests.service.doubles import PlayedWorker
from tests.service.requests import problem, send

Swapping = tuple[TestClient, Path]


def test_a_model_is_offered_from_the_next_request_on(
    client: TestClient, model_store: Path, tmp_path: Path
) -> None:
    catalog = model_store / "catalog.toml"
    before = catalog.read_text()
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(WEIGHTS)
    assert client.get("/models/own").status_code == 404
    tiny = find(model_store, "tiny")
    version = prepare_store(model_store, "own", replace=False)
    entry = replace(
        tiny, name="own", version=version, file="own/1/weights.safetensors", card="own/1/README.md"
    )
    try:
        register(model_store, entry, weights, "# own")
        names = [model["name"] for model in client.get("/models").json()]
        assert names[:5] == ["tiny", "strm", "trokens", "planned", "own"]
        own = client.get("/models/own").json()
        assert own["installed"]
        assert own["labels"] == list(tiny.labels)
    finally:
        catalog.write_text(before)  # the store is shared by all tests


@pytest.fixture
def swapping(settings: ServiceSettings, worker: PlayedWorker, tmp_path: Path) -> Iterator[Swapping]:
    """A service whose default is what its store says, and the store: `tiny` 1 and `tiny` 2."""
    store = tmp_path / "store"
    shutil.copytree(settings.model_store, store)
    weights = tmp_path / "other"
    weights.write_bytes(b"other weights")
    second = replace(
        find(store, "tiny"),
        version=prepare_store(store, "tiny", replace=True),
        sha256=digest(weights),
        file="tiny/2/weights.safetensors",
        card="tiny/2/README.md",
    )
    register(store, second, weights, "# tiny")
    update = {"model_store": store, "default_model": "default"}
    worker.settings = settings.model_copy(update=update)
    with TestClient(create_app(worker.settings, queue=worker)) as client:
        yield client, store


def test_versions_are_listed_beside_each_other(swapping: Swapping) -> None:
    client, _ = swapping
    listed = [m for m in client.get("/models").json() if m["name"] == "tiny"]
    assert [(m["version"], m["default"]) for m in listed] == [("1", False), ("2", True)]
    for name, version in (("tiny@1", "1"), ("tiny@2", "2"), ("tiny", "2"), ("default", "2")):
        assert client.get(f"/models/{name}").json()["version"] == version
    assert "tiny@1, tiny@2" in problem(client.get("/models/tiny@3"))["detail"]


def test_a_request_may_name_a_version_or_the_default(swapping: Swapping) -> None:
    client, store = swapping
    for name, version in (("tiny@1", "1"), ("tiny", "2"), ("default", "2"), ("tiny@2", "2")):
        model = send(client, model=name).json()["model"]
        assert (model["name"], model["version"]) == ("tiny", version)
        assert model["digest"] == find(store, f"tiny@{version}").digest
    assert problem(send(client, model="tiny@3"))["kind"] == "unknown-model"


def test_the_default_is_swapped_and_gone_back_to_without_a_restart(swapping: Swapping) -> None:
    client, store = swapping
    asked = []
    for name in ("tiny@2", "tiny@1", "tiny", "tiny@1"):
        set_default(store, name)
        asked.append(send(client).json())
    assert [each["model"]["version"] for each in asked] == ["2", "1", "2", "1"]
    assert [each["cached"] for each in asked] == [False, False, True, True]
    for each in asked:
        assert each["model"]["digest"] == find(store, f"tiny@{each['model']['version']}").digest
