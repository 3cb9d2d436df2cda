import json

from starlette.testclient import TestClient

from tests.service.doubles import SCORES, PlayedWorker
from tests.service.requests import problem
from workers import presence


def test_models_are_listed_with_what_they_know(client: TestClient) -> None:
    tiny, planned = client.get("/models").json()
    assert (tiny["name"], tiny["default"], tiny["installed"]) == ("tiny", True, True)
    assert (planned["name"], planned["default"], planned["installed"]) == ("planned", False, False)
    assert (tiny["calibrated"], planned["calibrated"]) == (False, True)
    assert tiny["labels"] == list(SCORES)
    assert tiny["inputs"] == {"frames": 4}
    assert tiny["licence"] == "Apache-2.0"


def test_a_model_is_loaded_once_a_worker_has_it(client: TestClient, worker: PlayedWorker) -> None:
    assert client.get("/models/tiny").json()["loaded"] is False
    presence.beat(worker.store.redis, "w", ttl_s=10)
    presence.loaded(worker.store.redis, "w", models={"tiny"}, ttl_s=10)
    assert client.get("/models/tiny").json()["loaded"] is True


def test_an_unknown_model_is_404_and_names_those_there_are(client: TestClient) -> None:
    document = problem(client.get("/models/oracle"))
    assert (document["kind"], document["status"], document["value"]) == ("not-found", 404, "oracle")
    assert "tiny" in json.dumps(document["detail"])
