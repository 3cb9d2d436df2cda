"""What only real processes show: two web processes behind one port, started as operators do."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import ServiceSettings
from tests.conftest import RedisServers
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker, eventually
from workers.jobs import ClassifyParams, Job

BOUNDARY = {"Content-Type": "multipart/form-data; boundary=x"}
OPENING = b'--x\r\nContent-Disposition: form-data; name="clip"; filename="a.mp4"\r\n\r\n'
CLOSING = b"\r\n--x--\r\n"
LIMIT = 1024 * 1024


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def served(
    running_redis: RedisServers, data: Path, model_store: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A running `python -m service.launch`; its port is in the environment it was given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {
        "POINTACTION_DATA_DIR": str(data),
        "POINTACTION_MODEL_STORE": str(model_store),
        "POINTACTION_DEFAULT_MODEL": "tiny",
        "POINTACTION_BROKER_URL": running_redis.broker_url,
        "POINTACTION_CACHE_URL": running_redis.cache_url,
        "POINTACTION_PORT": str(port),
        "POINTACTION_WEB_PROCESSES": "2",
        "POINTACTION_MAX_UPLOAD_MB": "1",
        "POINTACTION_LOG_FORMAT": "json",
    }
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.launch"], env=os.environ | own, stderr=log
        )
    process.port = port  # type: ignore[attr-defined]
    try:
        assert eventually(lambda: answers(port), within_s=30), (data / "log").read_text()
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def port(served: subprocess.Popen[bytes], redis_servers: RedisServers) -> int:
    return int(served.port)  # type: ignore[attr-defined]


def answers(port: int) -> bool:
    try:
        return get(port, "/health/live")[0] == 200
    except OSError:
        return False


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def uploads(data: Path) -> list[Path]:
    return list((data / "uploads").iterdir())


def test_a_body_over_the_limit_is_refused_as_soon_as_it_is(port: int, data: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", "/classify")
    connection.putheader("Content-Type", BOUNDARY["Content-Type"])
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for chunk in (OPENING, CLIP, *[bytes(128 * 1024)] * 8):  # the body does not end here
        connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    assert (answer.status, document["limit"]) == (413, LIMIT)
    assert LIMIT < document["value"] <= LIMIT + 256 * 1024
    assert eventually(lambda: uploads(data) == [])


def test_a_stated_length_over_the_limit_is_refused_unread(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", "/classify")
    connection.putheader("Content-Type", BOUNDARY["Content-Type"])
    connection.putheader("Content-Length", str(50 * LIMIT))
    connection.endheaders()
    answer = connection.getresponse()  # not a byte of the body was sent
    document = json.loads(answer.read())
    connection.close()
    assert (answer.status, document["limit"], document["value"]) == (413, LIMIT, 50 * LIMIT)


def test_who_hangs_up_midway_leaves_nothing(port: int, data: Path) -> None:
    with socket.create_connection(("127.0.0.1", port)) as caller:
        head = f"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LIMIT // 2}\r\n"
        head += f"Content-Type: {BOUNDARY['Content-Type']}\r\n\r\n"
        caller.sendall(head.encode() + OPENING + CLIP + bytes(100_000))
        assert eventually(lambda: len(uploads(data)) == 1)
    assert eventually(lambda: uploads(data) == [])


def test_events_come_while_the_job_runs(
    port: int, data: Path, model_store: Path, redis_servers: RedisServers
) -> None:
    settings = ServiceSettings(
        data_dir=data,
        model_store=model_store,
        broker_url=redis_servers.broker_url,
        cache_url=redis_servers.cache_url,
    )
    job = Job.new(content="0" * 64, media="clip", params=ClassifyParams(model="tiny"))
    with PlayedWorker(settings) as worker:
        worker.store.create(job)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", f"/jobs/{job.id}/events")
        answer = connection.getresponse()
        assert next_state(answer) == "queued"  # before anything else happens
        worker.submit(job.id)
        state = next_state(answer)
        while state == "running":
            state = next_state(answer)
        assert state == "succeeded"
        connection.close()


def next_state(answer: http.client.HTTPResponse) -> str:
    while line := answer.readline():
        if line.startswith(b"data: "):
            return str(json.loads(line.removeprefix(b"data: "))["state"])
    raise AssertionError("the events have ended")


def test_the_processes_count_together(port: int) -> None:
    for _ in range(20):  # each on its own connection, so that both processes get some
        get(port, "/models")
    line = b'pointaction_http_requests_total{method="GET",route="/models",status="200"} 20.0'
    for _ in range(5):
        assert line in get(port, "/metrics")[1]


def test_a_stop_sends_nobody_away_without_an_answer(
    served: subprocess.Popen[bytes], port: int
) -> None:
    statuses: list[int] = []

    def wait_for_the_result() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = BOUNDARY | {"Prefer": "wait=60"}
        connection.request("POST", "/classify", OPENING + CLIP + CLOSING, headers)
        statuses.append(connection.getresponse().status)
        connection.close()

    caller = threading.Thread(target=wait_for_the_result)
    caller.start()
    time.sleep(0.5)  # nobody works here, so the request waits for certain
    served.send_signal(signal.SIGTERM)
    served.wait(timeout=20)
    caller.join(timeout=5)
    assert statuses == [202]
