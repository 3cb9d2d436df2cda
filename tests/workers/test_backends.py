"""Which backend answers is told, and is part of the key of what it says."""

from pathlib import Path

import pytest

from pointaction.models.backends import Choice
from pointaction.models.rounded import Rounded
from pointaction.pipeline import Recogniser
from tests.conftest import RedisServers
from tests.workers.conftest import Bench, settings_at
from tests.workers.test_library import untrained
from workers.classify import key_of
from workers.jobs import Job, MatchParams
from workers.library import open_library
from workers.process import Process
from workers.settings import Settings


@pytest.fixture
def bench(tmp_path: Path, redis_servers: RedisServers) -> Bench:
    settings = settings_at(tmp_path, redis_servers)
    untrained(settings.model_store)
    return Bench(settings)


def process(bench: Bench, backend: str) -> Process:
    settings = Settings(**(bench.settings.model_dump() | {"backend": backend}))
    return Process(settings, open_library(settings))


def test_the_wish_of_the_operator_answers(bench: Bench) -> None:
    ours = process(bench, "torch-bf16")
    opened = ours.recogniser(ours.entry("scripted"))
    assert isinstance(opened, Recogniser)
    assert isinstance(opened.asked, Rounded)
    assert opened.asked.model is opened.model  # which few-shot episodes go on being told by


def test_a_model_is_opened_again_when_another_backend_is_chosen(bench: Bench) -> None:
    ours = process(bench, "auto")
    entry = ours.entry("scripted")
    before = ours.recogniser(entry)
    assert ours.recogniser(ours.entry("scripted")) is before
    choice = Choice(backend="torch-bf16", model=entry.pinned, circumstances={}, figures={})
    choice.save(bench.settings.data_dir, entry)
    after = ours.recogniser(ours.entry("scripted"))
    assert isinstance(after, Recogniser)
    assert isinstance(after.asked, Rounded)


def test_answers_of_two_backends_have_two_keys(bench: Bench) -> None:
    classified = bench.clip("a clip")
    matched = Job.new(
        content=classified.content,
        media="clip",
        params=MatchParams(model="scripted", episode="0" * 32),
    )
    entries = [process(bench, backend).entry("scripted") for backend in ("torch", "torch-bf16")]
    making = bench.making(classified)
    assert len({key_of(classified, entry, making) for entry in entries}) == 2
    assert len({key_of(matched, entry, making) for entry in entries}) == 1  # torch's own
    assert key_of(classified, entries[0], making) == bench.key(classified)
