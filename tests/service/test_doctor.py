import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from redis import Redis
from typer.testing import CliRunner, Result

from service import cli, doctor, doctor_host, doctor_redis
from service.findings import Finding
from service.keys import KeyStore
from service.settings import ServiceSettings
from tests.pointaction.models.stores import small_store
from workers import presence
from workers.embedded import EmbeddedRedis
from workers.jobs import ClassifyParams, Job, JobStore
from workers.redis import connect


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def servers(data: Path) -> Iterator[EmbeddedRedis]:
    """Servers of its own, which tests may misconfigure."""
    with EmbeddedRedis(data) as servers:
        yield servers


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def settings(data: Path, servers: EmbeddedRedis, store: Path) -> ServiceSettings:
    with connect(servers.broker_url) as redis:
        redis.flushall()
    return ServiceSettings(
        data_dir=data,
        model_store=store,
        default_model="small",
        broker_url=servers.broker_url,
        cache_url=servers.cache_url,
    )


@pytest.fixture
def broker(settings: ServiceSettings) -> Iterator[Redis]:
    """Its configuration is put back afterwards."""
    names = ("maxmemory", "maxmemory-policy", "appendonly", "appendfsync")
    with connect(settings.require("broker_url")) as redis:
        before = {name: redis.config_get(name)[name] for name in names}
        yield redis
        for name, value in before.items():
            redis.config_set(name, value)


def levels(findings: Iterator[Finding]) -> list[str]:
    return [finding.level for finding in findings]


def bad(findings: Iterator[Finding]) -> Finding:
    """The one that is not ok."""
    (found,) = (finding for finding in findings if finding.level != "ok")
    assert found.remedy
    return found


def test_a_sound_deployment_has_nothing_wrong(settings: ServiceSettings, broker: Redis) -> None:
    presence.beat(broker, "w", ttl_s=60)
    findings = list(doctor.examine(settings))
    assert [each for each in findings if each.level == "wrong"] == []
    about = {finding.about for finding in findings}
    assert about == {"settings", *doctor._OF_REDIS, *doctor._OF_HOST}
    said = {finding.about: finding.says for finding in findings}
    assert said["answering"] == "the model small opens"
    assert "it decodes, confined to 1024 MiB" in said["decoder"]
    assert not list((settings.data_dir / "blobs").rglob("clips/*"))  # nothing is left behind


def test_the_servers_that_serve_embeds_are_found_by_the_data_folder(
    settings: ServiceSettings,
) -> None:
    found = doctor._with_urls(settings.model_copy(update={"broker_url": None, "cache_url": None}))
    assert found is not None
    assert (found.broker_url, found.cache_url) == (settings.broker_url, settings.cache_url)


def test_where_nothing_runs_the_machine_is_looked_at_all_the_same(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    alone = settings.model_copy(
        update={"broker_url": None, "cache_url": None, "data_dir": tmp_path}
    )
    found = {finding.about: finding.level for finding in doctor.examine(alone)}
    assert found["service"] == "warning"
    assert found["models"] == "ok"
    assert "queue" not in found


def test_a_redis_that_is_away_is_wrong_and_its_password_is_not_told(
    settings: ServiceSettings,
) -> None:
    away = settings.model_copy(update={"broker_url": "redis://:hush@127.0.0.1:1/0"})
    findings = [each for each in doctor.examine(away) if each.level == "wrong"]
    assert {each.about for each in findings} >= {"broker", "workers", "queue"}
    assert "hush" not in str(findings)


@pytest.mark.parametrize(
    ("name", "value", "level", "word"),
    [
        ("maxmemory-policy", "allkeys-lru", "wrong", "forget"),
        ("appendonly", "no", "wrong", "snapshot"),
        ("appendfsync", "no", "warning", "half minute"),
        ("maxmemory", "1mb", "warning", "are used"),
    ],
)
def test_a_broker_that_would_forget_or_refuse_is_found(
    settings: ServiceSettings, broker: Redis, name: str, value: str, level: str, word: str
) -> None:
    assert set(levels(doctor_redis.broker(settings))) == {"ok"}
    broker.config_set(name, value)
    found = bad(doctor_redis.broker(settings))
    assert found.level == level
    assert word in found.says


def test_an_old_redis_is_told_which_one_is_needed() -> None:
    assert doctor_redis._version("broker", {"redis_version": "6.2.16"}).level == "ok"
    assert doctor_redis._version("broker", {"redis_version": "10.0.1"}).level == "ok"
    old = doctor_redis._version("broker", {"redis_version": "6.0.16"})
    assert (old.level, old.remedy) == ("wrong", "install Redis 6.2 or later")


def test_one_redis_for_both_is_a_warning(settings: ServiceSettings) -> None:
    assert set(levels(doctor_redis.cache(settings))) == {"ok"}
    one = settings.model_copy(update={"cache_url": settings.broker_url})
    assert "it is the broker's Redis" in bad(doctor_redis.cache(one)).says


def test_a_clock_that_is_wrong_is_told_by_how_much(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert levels(doctor_redis.clock(settings)) == ["ok"]
    late = SimpleNamespace(time=lambda: time.time() - 30)
    monkeypatch.setattr(doctor_redis, "time", late)
    assert "is +30.0 s from" in bad(doctor_redis.clock(settings)).says


def test_workers_and_old_jobs_and_dead_ones_are_found(
    settings: ServiceSettings, broker: Redis
) -> None:
    assert bad(doctor_redis.workers(settings)).level == "wrong"
    presence.beat(broker, "clips", takes="extract", ttl_s=60)
    found = bad(doctor_redis.workers(settings))
    assert (found.level, found.says.partition("; ")[2]) == (
        "wrong",
        "1 take clips of data sets alone",
    )
    presence.beat(broker, "w", ttl_s=60)
    (found,) = doctor_redis.workers(settings)
    assert (found.level, found.says) == (
        "ok",
        "1 that take jobs have been heard of lately; 1 take clips of data sets",
    )

    assert levels(doctor_redis.queue(settings)) == ["ok"]
    eager = JobStore(broker, ttl_s=60, lease_s=0, max_attempts=1)
    old, dead = (
        Job.new(content=letter * 64, media="clip", params=ClassifyParams(model="small"))
        for letter in "ab"
    )
    old.created_at -= 100
    eager.create(old)
    assert "1 jobs wait, the oldest for 100 s" in bad(doctor_redis.queue(settings)).says
    eager.cancel(old.id)
    eager.create(dead)
    for _ in range(2):
        eager.claim(dead.id, "w")
    assert "1 jobs have killed their workers" in bad(doctor_redis.queue(settings)).says
    full = settings.model_copy(update={"max_queued": 1})
    eager.create(old.model_copy(update={"id": "f" * 32, "created_at": time.time()}))
    assert levels(doctor_redis.queue(full)) == ["warning", "ok", "warning"]


def test_a_service_that_is_open_to_the_world_is_found(
    settings: ServiceSettings, broker: Redis
) -> None:
    reachable = settings.model_copy(update={"host": "0.0.0.0"})
    assert levels(doctor_host.access(settings)) == ["ok"]
    assert bad(doctor_host.access(reachable)).level == "wrong"
    assert bad(doctor_host.access(reachable.model_copy(update={"open": True}))).level == "warning"
    KeyStore(broker).create("alice")
    assert levels(doctor_host.access(reachable)) == ["ok"]
    told = reachable.model_copy(update={"metrics_open": True})
    assert "/metrics" in bad(doctor_host.access(told)).says


def test_limits_that_do_not_fit_each_other_are_found(settings: ServiceSettings) -> None:
    assert levels(doctor_host.limits(settings)) == ["ok"]
    tight = settings.model_copy(update={"visibility_timeout_s": 121})
    assert "delivered again 1 s after" in bad(doctor_host.limits(tight)).says
    swept = settings.model_copy(update={"blob_ttl_s": 60})
    assert "swept" in bad(doctor_host.limits(swept)).says


@pytest.mark.parametrize(("gib", "level"), [(0.5, "wrong"), (2, "warning"), (50, "ok")])
def test_a_disk_that_is_nearly_full_is_found(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch, gib: float, level: str
) -> None:
    usage = SimpleNamespace(free=int(gib * 2**30))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    (found,) = doctor_host.disk(settings)
    assert (found.level, f"{gib:.1f} GiB" in found.says) == (level, True)


def test_a_blob_store_that_takes_nothing_is_found(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    nowhere = settings.model_copy(update={"blob_url": str(tmp_path / "file" / "blobs")})
    assert bad(doctor_host.blobs(nowhere)).level == "wrong"


def test_damaged_and_missing_weights_are_found(settings: ServiceSettings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"model_store": small_store(tmp_path)})
    weights = tmp_path / "small.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert levels(doctor_host.models(own)) == ["wrong", "warning"]
    assert bad(doctor_host.answering(own)).level == "wrong"
    other = settings.model_copy(update={"default_model": "oracle"})
    assert "oracle is not in the store" in bad(doctor_host.models(other)).says
    assert "oracle" in bad(doctor_host.answering(other)).says


def test_a_gpu_that_is_not_there_is_found(settings: ServiceSettings) -> None:
    wished = settings.model_copy(update={"device": "cuda:99"})
    assert bad(doctor_host.answering(wished)).says == "torch finds no cuda:99 here"


def test_a_decoder_that_has_no_room_is_found(settings: ServiceSettings) -> None:
    starved = settings.model_copy(update={"decode_memory_mb": 1})
    assert bad(doctor_host.decoder(starved)).level == "wrong"


def call(*words: str) -> Result:
    app = typer.Typer()
    app.command("doctor")(cli.doctor)
    return CliRunner().invoke(app, words)


@pytest.fixture
def environment(settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("POINTACTION_")]:
        monkeypatch.delenv(name)
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environment")
def test_the_command_ends_with_1_where_something_is_wrong(broker: Redis) -> None:
    silent = call("--json")
    assert silent.exit_code == 1
    found = {each["about"]: each for each in json.loads(silent.stdout)}
    assert found["workers"] == {
        "about": "workers",
        "level": "wrong",
        "says": "none that takes jobs has been heard of lately",
        "remedy": found["workers"]["remedy"],
    }
    presence.beat(broker, "w", ttl_s=60)
    assert call("--json").exit_code == 0


@pytest.mark.usefixtures("environment")
def test_settings_that_cannot_be_read_are_told_by_name_and_never_by_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POINTACTION_PORT", "hush")
    (finding,) = doctor.look()
    assert finding.says.startswith("POINTACTION_PORT: ")
    assert "hush" not in str(finding)


@pytest.mark.usefixtures("environment")
def test_a_misspelt_setting_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTACTION_PROT", "8000")
    first = next(doctor.look())
    assert (first.level, first.says) == ("warning", "POINTACTION_PROT is not a setting")


def test_traces_that_are_asked_for_need_their_extra(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert levels(doctor_host.tracing(settings)) == ["ok"]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert levels(doctor_host.tracing(settings)) == ["ok"]
    monkeypatch.setattr("workers.traces.installed", lambda: False)
    assert "pointaction[telemetry]" in bad(doctor_host.tracing(settings)).remedy
