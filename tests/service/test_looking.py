"""Models that have to see the clip: alone, or beside how its points move."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.pointaction.models.stores import know_downloads, table
from tests.service.conftest import CLIP
from tests.service.doubles import SCORES, PlayedWorker
from tests.service.requests import problem, send


@pytest.fixture
def looking(
    settings: ServiceSettings, worker: PlayedWorker, tmp_path: Path
) -> Iterator[TestClient]:
    """A service that also has `watcher`, which looks at pixels alone, and `both`."""
    store = tmp_path / "store"
    shutil.copytree(settings.model_store, store)
    know_downloads(store)
    with (store / "catalog.toml").open("a") as catalog:
        for name, inputs, more in (
            (
                "blind",
                "pixels = 64",
                'backbone = {name = "dinov2-small", sha256 = "7", frames = 2}',
            ),
            ("watcher", "pixels = 64", ""),
            ("both", "pixels = 64, tracks = 4", ""),
        ):
            sha256, file = name[0] * 64, "tiny.safetensors"
            catalog.write(table(name, sha256, builder="none", inputs=inputs, file=file, more=more))
    settings = settings.model_copy(update={"model_store": store})
    worker.settings = settings
    with TestClient(create_app(settings, queue=worker)) as client:
        yield client


def test_a_fused_answer_has_what_each_branch_says_alone(looking: TestClient) -> None:
    answer = send(looking, clip=CLIP, model="both", top_k="1").json()
    label, score = max(SCORES.items(), key=lambda pair: pair[1])
    assert answer["branches"] == {"motion": [{"label": label, "score": score}]}
    assert answer["attention"]["tracks"] == 3
    assert send(looking, clip=CLIP).json()["branches"] == {}


def test_where_a_model_of_pixels_looked_is_maps(looking: TestClient) -> None:
    answer = send(looking, clip=CLIP, model="watcher").json()
    assert answer["attention"]["tracks"] is None
    assert answer["attention"]["maps"] == {"frames": 2, "rows": 3, "columns": 4}
    assert answer["points"] is answer["tracker"] is answer["depth"] is None
    href = answer["attention"]["href"]
    maps = looking.get(href).json()
    assert (maps["heads"], maps["frames"], maps["rows"], maps["columns"]) == (2, 2, 3, 4)
    assert maps["size"] == [16, 24]
    assert maps["times"][0] == 0
    assert np.array(maps["weights"]).shape == (2, 2, 3, 4)
    file = looking.get(href, headers={"Accept": "application/x-npz"})
    with np.load(io.BytesIO(file.content)) as arrays:
        np.testing.assert_allclose(arrays["weights"].sum((1, 2, 3)), 1, rtol=1e-2)


def test_a_job_that_followed_no_points_has_no_tracks(looking: TestClient) -> None:
    job = send(looking, clip=CLIP, model="watcher").json()["job"]
    said = problem(looking.get(f"/jobs/{job}/tracks"))
    assert (said["kind"], said["status"]) == ("no-tracks", 404)
    assert f"/jobs/{job}/attention has its maps" in said["detail"]


@pytest.mark.parametrize("model", ["watcher", "both"])
def test_tracks_are_not_enough_for_it(looking: TestClient, tracks_file: bytes, model: str) -> None:
    file = {"tracks": ("a.tracks.npz", tracks_file)}
    said = problem(looking.post("/classify", files=file, data={"model": model}))
    assert (said["kind"], said["status"]) == ("pixels-missing", 422)
    assert "send the clip itself" in said["detail"]


def test_a_model_without_its_backbone_is_refused_with_the_command(looking: TestClient) -> None:
    assert looking.get("/models/watcher").json()["installed"]
    assert not looking.get("/models/blind").json()["installed"]
    said = problem(send(looking, clip=CLIP, model="blind"))
    assert (said["kind"], said["status"]) == ("not-installed", 422)
    assert "pointaction models pull dinov2-small" in said["detail"]


def test_its_clips_are_not_compared(looking: TestClient) -> None:
    answer = looking.post(
        "/episodes",
        files=[("support", ("a.mp4", CLIP)), ("support", ("b.mp4", CLIP + b"b"))],
        data={"labels": ["up", "down"], "model": "both"},
    )
    said = problem(answer)
    assert (said["kind"], said["status"]) == ("not-comparable", 422)


def test_forgetting_a_job_of_pixels_forgets_its_maps(looking: TestClient) -> None:
    answer = send(looking, clip=CLIP, model="watcher").json()
    assert looking.delete(f"/jobs/{answer['job']}").status_code == 204
    again = send(looking, clip=CLIP, model="watcher").json()
    assert not again["cached"]
    assert json.dumps(again["predictions"]) == json.dumps(answer["predictions"])
