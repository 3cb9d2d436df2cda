"""Either client against the real service, behind which a worker is played (see PlayedWorker)."""

import inspect
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pointaction.client import (
    AsyncClient,
    AsyncEpisode,
    AsyncJob,
    Attention,
    Client,
    Episode,
    EpisodeState,
    Job,
    JobState,
    OutOfPatience,
    Problem,
)
from pointaction.client.conversation import Conversation
from pointaction.client.steps import Deadline
from pointaction.errors import InputError
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker, three_tracks
from tests.service.teaching import clip


@pytest.mark.parametrize(
    ("one", "awaited"), [(Client, AsyncClient), (Job, AsyncJob), (Episode, AsyncEpisode)]
)
def test_both_clients_offer_the_same(one: type, awaited: type) -> None:
    assert offers(one) == offers(awaited)


def offers(kind: type) -> dict[str, list[str]]:
    """The parameters of all public methods."""
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: [str(each).replace("Async", "") for each in signature.parameters.values()]
        for name, signature in ((name, inspect.signature(method)) for name, method in methods)
        if not name.startswith("_")
    }


def test_httpx_and_numpy_are_enough() -> None:
    program = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name in {"torch", "safetensors", "cv2", "av", "typer", "rich", "pydantic"}:
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
import pointaction.client
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_clip_may_be_a_file_bytes_or_tracks(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(CLIP)
    of_file, of_bytes = client.classify(path), client.classify(CLIP)
    of_tracks = client.classify(three_tracks())
    assert of_file.best.label == of_bytes.best.label == of_tracks.best.label == "moving left"
    assert (of_file.cached, of_bytes.cached, of_tracks.cached) == (False, True, False)
    assert of_file.clip.sha256 == of_bytes.clip.sha256 != of_tracks.clip.sha256
    assert of_file.tracker is not None
    assert of_tracks.tracker is None  # it came with the tracks


def test_an_answer_says_what_it_is_and_by_what(client: Client) -> None:
    found = client.classify(CLIP, model="tiny", top_k=2, points="grid")
    assert found.scores == {"moving left": 0.7, "moving right": 0.2}
    assert (found.model.name, found.model.licence) == ("tiny", "Apache-2.0")
    assert len(found.model.digest) == 64
    assert found.points is not None
    assert found.points.name == "grid"
    assert found.none_of_these is None
    assert found.timings_ms["track"] == 30.0
    assert found.attention is not None
    assert (found.attention.heads, found.attention.tracks) == (2, 3)
    assert found.document["predictions"][0] == {"label": "moving left", "score": 0.7}
    assert client.classify(CLIP, attention=False).attention is None


def test_what_belongs_to_an_answer_is_fetched(client: Client, tmp_path: Path) -> None:
    job = client.job(client.classify(CLIP).job.id)
    looked = job.attention()
    np.testing.assert_allclose(looked.weights, np.full((2, 3), 1 / 3), atol=1e-3)
    assert looked.xy is not None
    np.testing.assert_array_equal(looked.xy, three_tracks().xy)
    assert looked.size == (16, 24)
    tracks = job.tracks()
    np.testing.assert_array_equal(tracks.xy, three_tracks().xy)
    assert job.overlay(head=1, format="png") == b"png of 1"
    job.save_overlay(tmp_path / "all.mp4")
    assert (tmp_path / "all.mp4").read_bytes() == b"mp4 of mean"
    job.save_overlay(tmp_path / "all.png", head=0)
    assert (tmp_path / "all.png").read_bytes() == b"png of 0"
    with pytest.raises(Problem, match="head must be mean or 0 to 1"):
        job.overlay(head=2)


def test_attention_is_written_and_read() -> None:
    maps = Attention(
        weights=np.full((2, 1, 2, 2), 0.25, np.float32),
        times=np.zeros(1),
        size=(16, 24),
        xy=None,
        visible=None,
    )
    file = io.BytesIO()
    maps.save(file)
    file.seek(0)
    found = Attention.load(file)
    np.testing.assert_array_equal(found.weights, maps.weights)
    assert (found.size, found.xy) == ((16, 24), None)


def test_a_job_is_filed_followed_and_waited_for(client: Client, worker: PlayedWorker) -> None:
    worker.gate.clear()
    job = client.submit(CLIP)
    assert job.state().state == "queued"
    told: list[JobState] = []

    def tell(state: JobState) -> None:
        told.append(state)
        worker.gate.set()

    assert job.wait(progress=tell).best.label == "moving left"
    assert [state.state for state in told][:: len(told) - 1] == ["queued", "succeeded"]
    assert client.job(job.id).wait().job.id == job.id  # it has ended, and is told of at once


def test_a_job_is_cancelled_and_then_forgotten(client: Client, worker: PlayedWorker) -> None:
    worker.gate.clear()
    job = client.submit(CLIP)
    job.end()
    assert job.state().state == "cancelled"
    with pytest.raises(Problem, match="was cancelled; send the clip again"):
        job.wait()
    job.end()
    with pytest.raises(Problem) as error:
        job.state()
    assert error.value.kind == "not-found"


@pytest.mark.parametrize("progress", [None, lambda state: None], ids=["one request", "followed"])
def test_a_clip_that_cannot_be_read_is_a_problem(
    client: Client, progress: Callable[[JobState], None] | None
) -> None:
    with pytest.raises(Problem, match="the video cannot be decoded") as error:
        client.classify(CLIP + b"!", progress=progress)
    assert (error.value.kind, error.value.status) == ("undecodable", 415)


def test_a_callback_is_asked_for(client: Client) -> None:
    with pytest.raises(Problem) as error:
        client.classify(CLIP, callback_url="https://here.example/")
    assert error.value.kind == "webhooks-off"


def test_an_episode_is_taught_asked_and_forgotten(client: Client) -> None:
    told: list[EpisodeState] = []
    episode = client.create_episode(
        {"wave": [clip("1w"), clip("2w")], "nod": [clip("1n")]},
        name="mine",
        head="otam",
        points="grid",
        progress=told.append,
    )
    state = episode.wait(progress=told.append)
    assert (state.name, state.head, state.points) == ("mine", "otam", "grid")
    assert [(each.label, len(each.examples)) for each in state.classes] == [("wave", 2), ("nod", 1)]
    assert (state.state.ready, state.progress) == (3, 1.0)
    assert told[-1] == state

    found = episode.classify(clip("3n"), top_k=1)
    assert found.scores == {"nod": 1.0}
    assert found.nearest[0].example == state.classes[1].examples[0].id
    assert (found.matches[0].query, found.matches[0].moments) == ((0,), (1,))
    assert (found.episode, found.head.name) == (episode.id, "otam")
    assert episode.classify(clip("3x"), progress=lambda state: None).none_of_these

    assert [each.id for each in client.episodes()] == [episode.id]
    episode.delete()
    assert client.episodes() == []


def test_a_question_to_an_episode_can_be_filed(client: Client) -> None:
    episode = client.create_episode({"wave": [clip("1w")], "nod": [clip("1n")]})
    found = episode.submit(clip("2w")).wait()
    assert found.best.label == "wave"
    assert found.document["nearest"]


def test_clips_that_were_seen_before_need_not_be_sent_again(client: Client) -> None:
    jobs = {label: client.classify(clip(word)).job for label, word in (("a", "1a"), ("b", "1b"))}
    episode = client.create_episode({label: [job] for label, job in jobs.items()})
    state = episode.add({"b": [clip("2b")], "c": [clip("1c")]})
    assert [len(each.examples) for each in state.classes] == [1, 2, 1]
    episode.remove(state.classes[1].examples[0].id)
    assert [len(each.examples) for each in episode.state().classes] == [1, 1, 1]


def test_an_example_that_cannot_be_read_says_why(client: Client) -> None:
    episode = client.create_episode({"a": [clip("1a"), clip("2!")], "b": [clip("1b")]})
    failed = episode.wait().classes[0].examples[1]
    assert failed.problem is not None
    assert failed.problem["detail"] == "the video cannot be decoded"


def test_all_of_a_large_episode_is_taught_or_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pointaction.client.sources._FILES_AT_ONCE", 2)
    examples = {"a": [clip("1a"), clip("2a")], "b": [clip("1b"), clip("2b"), clip("3b")]}
    state = client.create_episode(examples).wait()
    assert [len(each.examples) for each in state.classes] == [2, 3]
    client.episode(state.id).delete()
    with pytest.raises(Problem, match="begins neither as a video"):
        client.create_episode({"a": [clip("1a"), b"text"], "b": [clip("1b")]})
    assert client.episodes() == []


def test_an_id_is_an_id_whatever_is_in_it(client: Client) -> None:
    for id in ("../models", "a?b", "x/state"):
        with pytest.raises(Problem) as error:
            client.episode(id).state()
        assert error.value.status == 404


def test_examples_that_come_to_no_end_are_not_waited_for(
    client: Client, worker: PlayedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.gate.clear()
    episode = client.create_episode({"a": [clip("1a")], "b": [clip("1b")]})
    monkeypatch.setattr(Conversation, "_deadline", lambda self: Deadline.after(0.1))
    with pytest.raises(OutOfPatience, match="2 examples of episode .* are pending still"):
        episode.wait()


def test_no_examples_are_too_few(client: Client) -> None:
    with pytest.raises(Problem) as error:
        client.create_episode({})
    assert error.value.kind == "no-examples"


def test_a_job_that_classifies_nothing_has_no_answer(client: Client) -> None:
    state = client.create_episode({"a": [clip("1a")], "b": [clip("1b")]}).wait()
    with pytest.raises(InputError, match="it is of the kind example"):
        client.job(state.classes[0].examples[0].job).wait()


def test_what_there_is_and_whether_it_is_ready(client: Client) -> None:
    entries = {each.name: each for each in client.models()}
    assert entries["tiny"].task == "classification"
    assert entries["tiny"].default
    assert entries["tiny"].labels[0] == "moving left"
    assert not entries["planned"].installed
    assert entries["lucas-kanade"].task == "tracking"
    health = client.health()
    assert not health.ready  # a worker that is played is not heard of
    assert health.checks["broker"] == "ok"
    assert health.checks["workers"] != "ok"
