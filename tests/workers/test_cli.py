"""What an operator types about jobs that killed their workers."""

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.conftest import RedisServers
from workers import cli
from workers.jobs import Claim, ClassifyParams, Job, JobStore
from workers.settings import Settings

CONTENT = "c" * 64


@pytest.fixture
def store(redis_servers: RedisServers, monkeypatch: pytest.MonkeyPatch) -> JobStore:
    monkeypatch.setenv("POINTACTION_BROKER_URL", redis_servers.broker_url)
    monkeypatch.setenv("POINTACTION_LEASE_S", "0")  # every attempt is lost as soon as it began
    return JobStore.open(Settings())


def call(*words: str) -> Result:
    app = typer.Typer()
    for command in (cli.dead, cli.release):
        app.command(command.__name__)(command)
    return CliRunner().invoke(app, words)


def poison(store: JobStore) -> Job:
    job = Job.new(content=CONTENT, media="clip", params=ClassifyParams(model="m"))
    store.create(job)
    for attempt in range(3):
        assert store.claim(job.id, f"worker {attempt}") is Claim.MINE
    assert store.claim(job.id, "one more") is Claim.POISON
    return job


def test_the_dead_are_listed_with_what_they_sent(store: JobStore) -> None:
    assert "no dead jobs" in call("dead").stdout
    job = poison(store)
    shown = "".join(call("dead").stdout.split())
    assert job.id in shown
    assert f"inquarantine:{CONTENT}" in shown


def test_released_content_may_come_again(store: JobStore) -> None:
    poison(store)
    assert store.quarantined(CONTENT)
    assert call("release", CONTENT).exit_code == 0
    assert not store.quarantined(CONTENT)
    assert call("release", CONTENT).exit_code == 1


def test_without_a_broker_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POINTACTION_BROKER_URL", raising=False)
    assert "POINTACTION_BROKER_URL" in call("dead").output
