"""Both clients against `pointaction serve`: a real worker, the shipped weights."""

import io
from pathlib import Path

import anyio
import av
import numpy as np
import pytest

from pointaction.client import AsyncClient, AsyncJob, Classification, Client, JobState
from pointaction.synthetic.sample import write_sample
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
