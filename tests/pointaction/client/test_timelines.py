"""Long videos, by either client."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.client import Client, JobState, Problem
from pointaction.client.conversation import _Following
from pointaction.client.reading import read
from pointaction.client.steps import Deadline
from pointaction.errors import InputError
from service.app import create_app
from service.settings import ServiceSettings
from tests.pointaction.client.scripted import job
from tests.service.conftest import CLIP
from tests.service.doubles import HOLDER, PlayedWorker
from tests.service.serving import listening
from tests.service.teaching import clip


def test_a_video_is_looked_through_and_read_at_any_threshold(client: Client) -> None:
    told: list[JobState] = []
    found = client.timeline(CLIP, step_s=2.0, tracks=128, progress=told.append)
    assert (found.windows, found.window_s, found.tracks) == (10, 3.0, 128)
    assert found.labels == ("moving left", "moving right", "standing still")
    assert (found.model.name, found.tracker.name, found.cached) == ("tiny", "lucas-kanade", False)
    assert found.document["labels"] == list(found.labels)
    assert told[-1].state == "succeeded"
    answered = client.job(found.job.id)
    some = answered.segments(0.4)
    assert (some.complete, some.until_s, some.duration_s) == (True, 12.0, 12.0)
    assert some.labels == ("standing still", "moving left")
    assert some.segments[0].label == "standing still"
    assert answered.segments(0.9).segments == ()
    assert client.timeline(CLIP, step_s=2.0, tracks=128).cached is True


def test_segments_are_saved_by_the_name_s_end(client: Client, tmp_path: Path) -> None:
    answered = client.job(client.timeline(CLIP).job.id)
    for name, begin in (("a.vtt", "WEBVTT"), ("a.csv", "label,"), ("a.eaf", "<?xml")):
        answered.save_segments(tmp_path / name, 0.4)
        assert (tmp_path / name).read_text().startswith(begin)
    with pytest.raises(InputError, match="'xls' is not one of: json, csv, vtt, eaf"):
        answered.save_segments(tmp_path / "a.xls")


def test_what_grows_can_be_read_meanwhile(client: Client, worker: PlayedWorker) -> None:
    worker.gate.clear()
    filed = client.submit_timeline(CLIP)
    worker.store.claim(filed.id, HOLDER)
    worker.look(filed.id, stop=5)
    assert (filed.state().expected_s, filed.state().progress) == (30.0, 0.5)
    some = filed.segments()
    assert (some.complete, some.until_s, some.expected_s) == (False, 6.0, 30.0)


def test_what_was_sent_comes_back(client: Client) -> None:
    assert client.job(client.classify(CLIP).job.id).clip() == CLIP
    with pytest.raises(Problem) as error:
        client.job("0" * 32).clip()
    assert error.value.kind == "not-found"


def test_an_episode_looks_for_its_own_and_gets_another_name(client: Client) -> None:
    episode = client.create_episode({"wave": [clip("1w")], "nod": [clip("1n")]}, name="old")
    episode.wait()
    found = client.timeline(CLIP, episode=episode.id)
    assert found.episode == episode.id
    assert found.head is not None
    assert episode.rename("new").name == "new"
    assert [each.name for each in client.episodes()] == ["new"]


def test_each_is_waited_for_as_what_it_is(client: Client) -> None:
    timed, classified = client.submit_timeline(CLIP), client.submit(CLIP)
    assert timed.wait_timeline().windows == 10
    with pytest.raises(InputError, match="classifies nothing; it is of the kind timeline"):
        timed.wait()
    classified.wait()
    with pytest.raises(InputError, match="makes no timeline; it is of the kind classify"):
        classified.wait_timeline()


def test_patience_begins_anew_with_whatever_was_looked_at() -> None:
    patience = (Deadline(at) for at in (10.0, 20.0, 30.0))
    following = _Following(None, lambda: next(patience))

    def end_after(kind: str, progress: float) -> float:
        following.hear(read(JobState, job("running", kind=kind, progress=progress)))
        return following.end.at

    assert following.end.at == 10
    assert end_after("classify", 0.5) == 10
    assert end_after("timeline", 0.6) == 20
    assert end_after("timeline", 0.6) == 20
    assert end_after("timeline", 0.5) == 20
    assert end_after("timeline", 0.7) == 30


def test_the_command_asks_a_server(
    settings: ServiceSettings, worker: PlayedWorker, tmp_path: Path
) -> None:
    video, table = tmp_path / "a.mp4", tmp_path / "a.csv"
    video.write_bytes(CLIP)
    with listening(create_app(settings, queue=worker)) as port:
        asked = ["timeline", str(video), "-o", str(table), "--threshold", "0.4", "--model", "tiny"]
        done = CliRunner().invoke(app, [*asked, "--server", f"http://127.0.0.1:{port}"])
    assert done.exit_code == 0, done.output
    assert "moving left" in done.output
    assert "moving left" in table.read_text()
