"""The product as a user has it: `pointaction serve` with the shipped weights, over HTTP."""

import hashlib
import io
import os
import signal
import time
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.machine import descendants
from pointaction.synthetic.vocabulary import mirrored
from pointaction.tracks import Tracks
from pointaction.video.encode import encode_mp4
from service.demo import BUNDLED
from tests.conftest import Stack

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def client(stack: Stack) -> httpx.Client:
    return stack.client


@pytest.fixture(scope="module")
def frames() -> NDArray[np.uint8]:
    with av.open(str(BUNDLED)) as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])


def send(client: httpx.Client, data: bytes, part: str = "clip", **headers: str) -> httpx.Response:
    return client.post("/classify", files={part: ("x", data)}, headers=headers)


def encoded(frames: NDArray[np.uint8], tmp_path: Path) -> bytes:
    encode_mp4(frames, fps=16, path=tmp_path / "x.mp4")
    return (tmp_path / "x.mp4").read_bytes()


def best(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["predictions"][0]["label"])


def test_the_bundled_clip_moves_left(
    client: httpx.Client, frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    assert best(send(client, BUNDLED.read_bytes())) == "moving left"
    answer = send(client, encoded(frames[:46], tmp_path))  # other bytes: nobody has sent them yet
    assert best(answer) == "moving left"
    body = answer.json()
    assert not body["cached"]
    assert {"decode", "track", "lift", "tokenise", "classify"} <= body["timings_ms"].keys()
    assert body["clip"]["width"] == 320


def test_mirrored_or_played_backwards_it_moves_right(
    client: httpx.Client, frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    assert mirrored("moving left") == "moving right"
    assert best(send(client, encoded(frames[:, :, ::-1], tmp_path))) == "moving right"
    assert best(send(client, encoded(frames[::-1], tmp_path))) == "moving right"


def test_the_same_clip_again_is_answered_from_the_cache(client: httpx.Client) -> None:
    first = send(client, BUNDLED.read_bytes()).json()
    again = send(client, BUNDLED.read_bytes()).json()
    assert again["cached"]
    assert again["predictions"] == first["predictions"]
    assert again["job"] != first["job"]


def test_a_clip_and_its_own_tracks_give_the_same_prediction(client: httpx.Client) -> None:
    answer = send(client, BUNDLED.read_bytes()).json()
    file = client.get(f"/jobs/{answer['job']}/tracks").content
    assert Tracks.load(io.BytesIO(file)).depth is not None
    from_tracks = send(client, file, part="tracks").json()
    assert (
        from_tracks["clip"]["sha256"] == hashlib.sha256(file).hexdigest()
    )  # not the clip's answer
    assert from_tracks["predictions"] == answer["predictions"]


def test_the_overlay_shows_the_clip_and_black_for_tracks_alone(client: httpx.Client) -> None:
    answer = send(client, BUNDLED.read_bytes()).json()
    video = client.get(f"/jobs/{answer['job']}/overlay", params={"head": "0", "format": "mp4"})
    assert video.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(video.content), "r") as overlay:
        assert overlay.streams.video[0].codec_context.name == "h264"
        assert len(list(overlay.decode(video=0))) == 32
    sheet = client.get(f"/jobs/{answer['job']}/overlay", params={"format": "png"})
    assert sheet.content.startswith(b"\x89PNG")


def test_the_attention_comes_with_its_tracks(client: httpx.Client) -> None:
    answer = send(client, BUNDLED.read_bytes()).json()
    weights = client.get(answer["attention"]["href"]).json()
    assert np.array(weights["weights"]).shape == (4, 512)
    assert np.array(weights["xy"]).shape == (512, 32, 2)


def worker_processes(server: int) -> list[int]:
    """Process ids of the worker (parent first, then its pool process)."""
    found = []
    for pid in descendants(server):
        command = Path(f"/proc/{pid}/cmdline").read_text()
        if "workers.launch" in command:
            found.append(pid)
    return found


def follow(client: httpx.Client, url: str, until: set[str], *, within_s: float) -> dict[str, Any]:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        job: dict[str, Any] = client.get(url).json()
        if job["state"] in until:
            return job
        time.sleep(0.005)
    raise TimeoutError(f"the job is still {job['state']} after {within_s} s")


@pytest.mark.parametrize(("victim", "count"), [("pool process", 40), ("whole worker", 42)])
def test_a_job_whose_worker_is_killed_is_finished_by_the_next(
    stack: Stack,
    frames: NDArray[np.uint8],
    tmp_path: Path,
    victim: str,
    count: int,  # of frames: content of its own, so that no cache answers
) -> None:
    client = stack.client
    accepted = send(client, encoded(frames[:count], tmp_path), Prefer="wait=0")
    assert accepted.status_code == 202
    job = accepted.headers["Location"]
    follow(client, job, {"running"}, within_s=20)
    workers = worker_processes(stack.pid)
    for process in workers if victim == "whole worker" else workers[1:]:
        os.kill(process, signal.SIGKILL)
    done = follow(client, job, {"succeeded", "failed"}, within_s=60)
    assert done["state"] == "succeeded"
    assert done["attempts"] == 2
    assert done["result"]["predictions"]


def test_every_part_of_the_stack_is_counted_in_metrics(client: httpx.Client) -> None:
    metrics = client.get("/metrics").text
    assert "pointaction_" in metrics
    assert client.get("/health/ready").status_code == 200
