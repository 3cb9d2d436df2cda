"""A model that is registered while the service runs."""

from dataclasses import replace
from pathlib import Path

from starlette.testclient import TestClient

from pointaction.models.catalog import find
from pointaction.training.register import prepare_store, register
from tests.service.conftest import WEIGHTS


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
        assert names[:3] == ["tiny", "planned", "own"]
        own = client.get("/models/own").json()
        assert own["installed"]
        assert own["labels"] == list(tiny.labels)
    finally:
        catalog.write_text(before)  # the store is shared by all tests
