"""What cannot be taught is refused before anything of it is queued."""

import hashlib
import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pointaction.fewshot.heads import HEADS
from service.app import create_app
from service.settings import ServiceSettings
from tests.pointaction.models.stores import small_store
from tests.service.doubles import BrokenQueue, PlayedWorker
from tests.service.requests import problem
from tests.service.teaching import TWO_CLASSES, ask, clip, examples_of, post, read, teach


def nothing_queued(client: TestClient, worker: PlayedWorker) -> bool:
    return not worker.submitted and client.get("/episodes").json() == []


def test_as_many_labels_as_files_are_needed(client: TestClient, worker: PlayedWorker) -> None:
    files = [("support", (f"{n}.mp4", clip(f"{n}w"))) for n in range(3)]
    document = problem(client.post("/episodes", files=files, data={"labels": ["a", "b"]}))
    assert (document["kind"], document["status"]) == ("labels-mismatch", 422)
    assert (document["limit"], document["value"]) == (3, 2)
    assert "3 files and 2 labels" in document["detail"]
    assert nothing_queued(client, worker)


def test_one_class_is_too_few(client: TestClient, worker: PlayedWorker) -> None:
    document = problem(teach(client, [("wave", "1w"), ("wave", "2w")]))
    assert (document["kind"], document["status"]) == ("too-few-classes", 422)
    assert (document["limit"], document["value"]) == (2, 1)
    assert nothing_queued(client, worker)


def test_101_classes_are_too_many(client: TestClient, worker: PlayedWorker) -> None:
    document = problem(teach(client, [(f"class {n}", str(n)) for n in range(101)]))
    assert (document["kind"], document["limit"], document["value"]) == (
        "too-many-classes",
        100,
        101,
    )
    assert nothing_queued(client, worker)


def test_51_examples_of_a_class_are_too_many(client: TestClient, worker: PlayedWorker) -> None:
    examples = [("nod", "n"), *(("wave", str(n)) for n in range(51))]
    document = problem(teach(client, examples))
    assert (document["kind"], document["limit"], document["value"]) == ("too-many-examples", 50, 51)
    assert nothing_queued(client, worker)


@pytest.mark.parametrize("label", ["", "  ", "\t\n"])
def test_a_blank_label_is_refused(client: TestClient, worker: PlayedWorker, label: str) -> None:
    document = problem(teach(client, [("wave", "1w"), (label, "1n")]))
    assert (document["kind"], document["status"]) == ("invalid-field", 422)
    assert document["detail"].startswith("label 2 ")
    assert nothing_queued(client, worker)


@pytest.mark.parametrize(
    ("bad", "kind", "status"), [(b"", "empty-file", 422), (b"text", "unsupported-clip", 415)]
)
def test_a_file_that_is_none_is_named(
    client: TestClient, worker: PlayedWorker, bad: bytes, kind: str, status: int
) -> None:
    files = [("support", ("a.mp4", clip("1w"))), ("support", ("../<b>.mp4", bad))]
    document = problem(client.post("/episodes", files=files, data={"labels": ["a", "b"]}))
    assert (document["kind"], document["status"]) == (kind, status)
    assert document["file"] == {"number": 2, "name": "../<b>.mp4"}
    assert document["detail"].startswith("file 2 ('../<b>.mp4') ")
    assert nothing_queued(client, worker)


def test_a_tracks_file_that_is_broken_is_named(client: TestClient, worker: PlayedWorker) -> None:
    files = [("support", ("a", clip("1w"))), ("support", ("b", b"PK\x03\x04" + bytes(50)))]
    document = problem(client.post("/episodes", files=files, data={"labels": ["a", "b"]}))
    assert (document["kind"], document["file"]["number"]) == ("invalid-tracks", 2)
    assert nothing_queued(client, worker)


def test_the_same_clip_under_two_labels_is_409(client: TestClient, worker: PlayedWorker) -> None:
    document = problem(teach(client, [("wave", "1w"), ("nod", "1w")]))
    assert (document["kind"], document["status"]) == ("conflicting-labels", 409)
    assert document["value"] == ["wave", "nod"]
    assert "'wave'" in document["detail"]
    assert "'nod'" in document["detail"]
    assert nothing_queued(client, worker)


def test_a_clip_of_the_episode_under_another_label_is_409(
    client: TestClient, worker: PlayedWorker, episode: str
) -> None:
    document = problem(post(client, f"/episodes/{episode}/support", [("nod", "2w")]))
    assert (document["kind"], document["value"]) == ("conflicting-labels", ["wave", "nod"])
    assert len(worker.submitted) == 3


def test_the_same_clip_twice_under_one_label_is_one_example(client: TestClient) -> None:
    found = teach(client, [("wave", "1w"), ("wave", "1w"), ("nod", "1n")]).json()
    assert [len(each["examples"]) for each in found["classes"]] == [1, 1]


def test_no_example_at_all_is_refused(client: TestClient, episode: str) -> None:
    for path in ("/episodes", f"/episodes/{episode}/support"):
        answer = client.post(
            path, content=b"--x--\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert problem(answer)["kind"] == "no-examples"


def test_a_label_is_text_whatever_is_in_it(client: TestClient) -> None:
    strange = "<img src=x onerror=alert(1)>\x00\x1b[31m\u202e"
    answer = teach(client, [(strange, "1w"), ("nod", "1n")])
    assert answer.json()["classes"][0]["label"] == strange
    assert answer.headers["content-type"] == "application/json"
    assert b"\x1b" not in answer.content  # JSON escapes what is not to be printed
    found = ask(client, answer.json()["id"], "3w").json()
    assert found["predictions"][0]["label"] == strange
    assert json.loads(answer.content)["classes"][0]["examples"][0]["label"] == strange


def test_a_label_has_at_most_256_bytes(client: TestClient, worker: PlayedWorker) -> None:
    assert teach(client, [("é" * 128, "1w"), ("nod", "1n")]).status_code == 201
    count = len(worker.submitted)
    document = problem(teach(client, [("nod", "1n"), ("é" * 129, "1w")]))
    assert (document["kind"], document["limit"]) == ("invalid-field", 256)
    assert "number 2" in document["detail"]
    assert len(worker.submitted) == count


def test_a_file_name_is_cut_to_255_characters(client: TestClient) -> None:
    files = [("support", ("é" * 300, clip("1w"))), ("support", ("b", clip("1n")))]
    answer = client.post("/episodes", files=files, data={"labels": ["wave", "nod"]})
    assert examples_of(answer.json())[0]["name"] == "é" * 255


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("head", "guess", "invalid-field"),
        ("points", "guess", "invalid-field"),
        ("tracker", "guess", "invalid-field"),
        ("depth", "guess", "invalid-field"),
        ("model", "guess", "unknown-model"),
        ("tracker", "cotracker3", "unknown-model"),  # this store does not know it
        ("top_k", "1", "unknown-field"),
    ],
)
def test_a_choice_that_there_is_not_is_refused(
    client: TestClient, worker: PlayedWorker, field: str, value: str, kind: str
) -> None:
    answer = post(client, "/episodes", TWO_CLASSES, **{field: value})  # type: ignore[arg-type]
    assert problem(answer)["kind"] == kind
    assert nothing_queued(client, worker)


@pytest.mark.parametrize("head", HEADS)
def test_every_head_can_be_chosen(client: TestClient, head: str) -> None:
    assert teach(client, head=head).json()["head"] == head


def test_a_head_whose_weights_are_not_there_is_refused(
    settings: ServiceSettings, worker: PlayedWorker, tmp_path: Path
) -> None:
    bare = settings.model_copy(
        update={"model_store": small_store(tmp_path), "default_model": "small"}
    )
    with TestClient(create_app(bare, queue=worker)) as client:
        document = problem(teach(client, head="strm"))
    assert (document["kind"], document["status"]) == ("unknown-model", 422)
    assert worker.submitted == []


def test_a_file_that_killed_workers_is_named(client: TestClient, worker: PlayedWorker) -> None:
    content = hashlib.sha256(clip("2w")).hexdigest()
    worker.store.redis.hset("jobs:quarantine", content, "some job")
    document = problem(teach(client))
    assert (document["kind"], document["value"]) == ("quarantined", content)
    assert document["detail"].startswith("file 2 ('2w.mp4') ")
    assert nothing_queued(client, worker)


def test_one_key_and_payload_make_one_episode(client: TestClient, worker: PlayedWorker) -> None:
    key = {"Idempotency-Key": "k1"}
    first, second = teach(client, headers=key), teach(client, headers=key)
    assert first.json()["id"] == second.json()["id"]
    assert (second.status_code, len(worker.submitted)) == (201, 3)
    document = problem(teach(client, [("wave", "1w"), ("nod", "9n")], headers=key))
    assert document["kind"] == "idempotency-mismatch"
    client.delete(f"/episodes/{first.json()['id']}")
    assert teach(client, headers=key).json()["id"] != first.json()["id"]


def test_one_key_and_query_make_one_job(
    client: TestClient, worker: PlayedWorker, episode: str
) -> None:
    key = {"Idempotency-Key": "k1"}
    first, second = (ask(client, episode, "3w", headers=key).json() for _ in range(2))
    assert first == second
    assert len(worker.submitted) == 4
    assert problem(ask(client, episode, "4w", headers=key))["kind"] == "idempotency-mismatch"


def test_a_queue_that_is_down_is_503_and_leaves_nothing(
    settings: ServiceSettings, worker: PlayedWorker, client: TestClient, episode: str
) -> None:
    with TestClient(create_app(settings, queue=BrokenQueue())) as broken:
        for answer in (
            teach(broken, [("a", "7w"), ("b", "7n")], headers={"Idempotency-Key": "k1"}),
            post(broken, f"/episodes/{episode}/support", [("wave", "8w")]),
            ask(broken, episode, "9w"),
        ):
            assert problem(answer)["kind"] == "queue-down"
    assert worker.store.waiting() == []
    assert [each["id"] for each in client.get("/episodes").json()] == [episode]
    assert len(examples_of(read(client, episode))) == 3
    assert ask(client, episode, "3w").status_code == 200
