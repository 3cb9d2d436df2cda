"""Both clients against `pointaction serve`: a real worker, the shipped weights."""

import io
from pathlib import Path

import anyio
import av
import numpy as np
import pytest

from pointaction.client import AsyncClient, AsyncJob, Classification, Client, JobState
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.synthetic.sample import write_sample
from pointaction.timelines.local import LocalTimelines
from pointaction.timelines.segments import Rule
from service.demo import BUNDLED
from tests.conftest import Stack

pytestmark = pytest.mark.timeout(180)


def test_a_clip_is_classified_followed_and_drawn(stack: Stack, tmp_path: Path) -> None:
    clip = tmp_path / "right.mp4"
    write_sample("moving right", clip, seed=5)  # which nobody has sent yet
    told: list[JobState] = []
    with Client(str(stack.client.base_url)) as client:
        found = client.classify(clip, top_k=3, progress=told.append)
        assert found.best.label == "moving right"
        assert told[-1].state == "succeeded"
        progress = [state.progress for state in told]
        assert progress == sorted(progress)
        looked, tracks = found.job.attention(), found.job.tracks()
        assert looked.weights.shape == (4, 512)
        np.testing.assert_allclose(looked.weights.sum(1), 1, atol=0.01)
        assert tracks.xy.shape == (512, 32, 2)
        again = client.classify(tracks)
        assert again.predictions[:3] == found.predictions
        with av.open(io.BytesIO(found.job.overlay()), "r") as overlay:
            assert overlay.streams.video[0].codec_context.name == "h264"
        assert client.health().ready


def test_clips_are_awaited_at_once_and_teach_an_episode(stack: Stack, tmp_path: Path) -> None:
    motions = ("moving left", "falling")
    clips = [tmp_path / f"{motion}.mp4" for motion in motions]
    for motion, clip in zip(motions, clips, strict=True):
        write_sample(motion, clip, seed=7, side=96)

    async def ask() -> None:
        async with AsyncClient(str(stack.client.base_url)) as client:
            answers: dict[str, Classification[AsyncJob]] = {}

            async def classify(motion: str, clip: Path) -> None:
                answers[motion] = await client.classify(clip)

            async with anyio.create_task_group() as tasks:
                for motion, clip in zip(motions, clips, strict=True):
                    tasks.start_soon(classify, motion, clip)
            episode = await client.create_episode({m: [answers[m].job] for m in motions})
            found = await episode.classify(BUNDLED)
            assert found.best.label == "moving left"
            assert {near.label for near in found.nearest} == set(motions)
            await episode.delete()

    anyio.run(ask)


def test_a_video_is_looked_through_as_in_this_process(stack: Stack, tmp_path: Path) -> None:
    video = tmp_path / "long.mp4"
    write_sample("moving right", video, seed=11, side=128, seconds=8, frames=128)
    with Client(str(stack.client.base_url)) as client:
        told: list[JobState] = []
        found = client.timeline(video, model="traction-tiny", progress=told.append)
        assert (found.windows, found.clip.frames) == (6, 128)
        here = LocalTimelines.open(DEFAULT_STORE, "traction-tiny")
        expected = here.timeline(here.viewer.plan(video)).segments(Rule(threshold=0.3))
        told_of = found.job.segments(0.3).segments
        assert len(expected) > 0
        assert [each.label for each in told_of] == [each.label for each in expected]
        for one, other in zip(told_of, expected, strict=True):
            assert (one.start_s, one.end_s) == pytest.approx((other.start, other.end), abs=1e-3)
            assert one.score == pytest.approx(other.score, abs=2e-3)
        assert found.job.clip() == video.read_bytes()
        assert client.timeline(video, model="traction-tiny").cached
