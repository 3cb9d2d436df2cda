import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog

from tests.conftest import RedisServers
from tests.workers.conftest import settings_at, wait_until
from workers import presence
from workers.embedded import EmbeddedRedis
from workers.launch import WorkerProcess
from workers.logs import configure, logger
from workers.redis import connect
from workers.settings import Settings


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(
    monkeypatch: pytest.MonkeyPatch,
    log_format: Literal["json", "console"],
    level: Literal["info", "warning"] = "info",
) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure(Settings(log_format=log_format, log_level=level))
    return stream


def test_every_line_names_its_request_and_job(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = lines(monkeypatch, "json")
    with structlog.contextvars.bound_contextvars(job="j1", request="r1"):
        logger("workers.tasks").info("job started", attempt=2)
        logging.getLogger("some.library").warning("%d frames", 7)
    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {
        "event": "job started",
        "attempt": 2,
        "job": "j1",
        "request": "r1",
        "level": "info",
        "logger": "workers.tasks",
    }
    assert (theirs["event"], theirs["job"], theirs["request"]) == ("7 frames", "j1", "r1")


def test_an_exception_is_one_line_without_local_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = lines(monkeypatch, "json")
    secret = "a password"
    try:
        raise ValueError(len(secret))
    except ValueError:
        logger("x").exception("failed")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["exception"][0]["exc_type"] == "ValueError"
    assert secret not in line


def test_a_person_reads_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = lines(monkeypatch, "console")
    logger("x").info("job started", job="j1")
    assert "job started" in stream.getvalue()
    assert "job=j1" in stream.getvalue()


def test_lines_below_the_level_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = lines(monkeypatch, "json", level="warning")
    logger("x").info("quiet")
    assert stream.getvalue() == ""


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="log_format"):
        Settings.model_validate({"log_format": "xml"})


def test_a_worker_does_not_tell_the_password_of_its_redis(
    tmp_path: Path,
    start_worker: Callable[[Settings], WorkerProcess],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not even at the level that tells most, and when it has lost the connection."""
    with EmbeddedRedis(tmp_path) as servers, connect(servers.broker_url) as redis:
        redis.config_set("requirepass", "hush")
        urls = RedisServers(
            broker_url=servers.broker_url.replace("unix://", "unix://:hush@"),
            cache_url=servers.cache_url,
        )
        asked = {"log_format": "json", "log_level": "debug"}
        settings = settings_at(tmp_path / "own", urls).model_copy(update=asked)
        start_worker(settings)
        redis.execute_command("AUTH", "hush")
        wait_until(lambda: bool(presence.alive_workers(redis)))
    told = ""

    def missed() -> bool:
        nonlocal told
        told += capfd.readouterr().err
        return "no broker" in told

    wait_until(missed)
    assert "hush" not in told
