"""Another version is put into the store while a worker is at a job."""

from dataclasses import replace

import pytest

from pointaction.models.catalog import find
from pointaction.training.register import register
from tests.workers.conftest import Bench
from tests.workers.test_library import bench, untrained  # noqa: F401
from workers.library import PointAction, open_library
from workers.process import Process, Recogniser


def test_a_job_is_answered_by_the_version_that_it_began_with(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = bench.settings.model_store
    first = find(store, "scripted")
    second = replace(
        first, version="2", file="scripted/2/weights.safetensors", card="scripted/2/README.md"
    )
    load = PointAction.load

    def swapped(library: PointAction, model: str, backend: str) -> Recogniser:
        register(store, second, store / first.file, "# scripted")
        return load(library, model, backend)

    monkeypatch.setattr(PointAction, "load", swapped)
    process = Process(bench.settings, open_library(bench.settings))
    opened = process.recogniser(process.entry("scripted"))
    assert find(store, "scripted").version == "2"
    assert opened.entry.version == "1"  # type: ignore[attr-defined]
