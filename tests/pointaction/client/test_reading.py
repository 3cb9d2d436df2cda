"""JSON as records."""

from datetime import UTC, datetime

import pytest

from pointaction.client.reading import read
from pointaction.client.records import EpisodeState, JobState, Prediction, Settled
from pointaction.errors import PointActionError
from tests.pointaction.client.scripted import job


def test_what_a_newer_server_says_beside_is_passed_over() -> None:
    found = read(Prediction, {"label": "left", "score": 0.5, "why": "it does"})
    assert found == Prediction(label="left", score=0.5)


def test_a_moment_is_one_and_nothing_stays_nothing() -> None:
    found = read(JobState, job("running"))
    assert found.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.finished_at is None
    assert not found.finished


def test_records_lie_in_records() -> None:
    example = {"id": "e", "label": "x", "name": "a.mp4", "state": "ready", "problem": None}
    texts = dict.fromkeys(["id", "name", "head", "model", "points", "tracker", "depth"], "")
    found = read(
        EpisodeState,
        texts
        | {
            "state": {"pending": 1, "ready": 2, "failed": 3},
            "progress": 0.5,
            "classes": [{"label": "x", "examples": [example | {"job": "j"}]}],
            "created_at": "2026-01-01T00:00:00Z",
        },
    )
    assert found.state == Settled(pending=1, ready=2, failed=3)
    assert found.state.total == 6
    assert found.classes[0].examples[0].job == "j"


@pytest.mark.parametrize("document", [{"label": "left"}, {}, None, [], "text"])
def test_what_lacks_a_member_is_no_record(document: object) -> None:
    with pytest.raises(PointActionError, match="is no Prediction"):
        read(Prediction, document)
