from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker
from tests.service.requests import problem, send
from tests.service.teaching import NO_WAIT
from workers import presence
from workers.stats import Counter, Tally


def test_the_service_at_a_glance(client: TestClient, worker: PlayedWorker) -> None:
    redis = worker.store.redis
    for _ in range(3):
        send(client)
    worker.gate.clear()
    send(client, clip=CLIP + b"x", headers=NO_WAIT)
    presence.beat(redis, "machine:7", ttl_s=presence.ttl_s(worker.settings))
    presence.loaded(redis, "machine:7", models={"tiny", "looming"}, ttl_s=10)
    presence.beat(redis, "machine:8", takes="extract", ttl_s=10)  # which takes no jobs
    tally = Tally()
    for kind, outcome in (("classify", "succeeded"), ("match", "succeeded"), ("match", "poison")):
        tally.count(Counter.FINISHED, kind, "tiny", outcome)
    tally.write(redis)
    found = client.get("/system").json()
    assert (found["queue"]["depth"], found["queue"]["running"]) == (1, 0)
    assert 0 <= found["queue"]["age_s"] < 60
    assert found["cache"] == {"hits": 2, "misses": 2}
    assert found["jobs"] == {"succeeded": 2, "poison": 1}
    (told,) = found["workers"]
    assert (told["name"], told["loaded"]) == ("machine:7", ["looming", "tiny"])
    assert 0 <= told["seen_s_ago"] < 60
    assert found["version"]


def test_it_is_for_those_with_a_key(settings: ServiceSettings, worker: PlayedWorker) -> None:
    closed = settings.model_copy(update={"open": False})
    with TestClient(create_app(closed, queue=worker)) as client:
        assert problem(client.get("/system"))["kind"] == "unauthorised"


def test_without_redis_it_says_so(settings: ServiceSettings) -> None:
    nowhere = settings.model_copy(update={"broker_url": f"unix://{settings.data_dir}/nobody.sock"})
    with TestClient(create_app(nowhere)) as client:
        assert problem(client.get("/system"))["kind"] == "queue-down"
