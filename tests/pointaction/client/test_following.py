"""A job is followed by its events, however often they break off, and asked for where none come."""

import json
from typing import Any

import pytest

from pointaction.client import Client, JobState, OutOfPatience, Problem
from tests.pointaction.client.both import opened
from tests.pointaction.client.scripted import Scripted, answer, events, job, problem, reply

ACCEPTED = reply(202, job("queued"))
DONE = job("succeeded", progress=1.0, result=answer())


def event(id: str, document: dict[str, Any]) -> str:
    return f"id: {id}\r\ndata: {json.dumps(document)}\r\n\r\n"


def running(stage: str) -> dict[str, Any]:
    return job("running", stage=stage)


def test_events_go_on_where_they_broke_off(asking: Client, server: Scripted) -> None:
    track = event("2-0", running("track"))
    server.say(
        ACCEPTED,
        events(": ping\r\n\r\n", event("1-0", running("decode")), track[:30]),
        events(track, event("3-0", DONE)),
    )
    told: list[JobState] = []
    assert asking.classify(b"clip", progress=told.append).scores == {"left": 0.75, "right": 0.25}
    assert [(state.state, state.stage) for state in told] == [
        ("running", "decode"),
        ("running", "track"),
        ("succeeded", None),
    ]
    sent, first, second = server.requests
    assert sent.headers["Prefer"] == "wait=0"
    assert first.headers["Last-Event-ID"] is None
    assert second.headers["Last-Event-ID"] == "1-0"  # the half of the next one is not counted


def test_without_events_the_job_is_asked_for(asking: Client, server: Scripted) -> None:
    server.say(
        ACCEPTED,
        problem(404, "not-found"),  # a proxy that lets no events through
        reply(200, running("decode")),
        problem(503, "queue-down", Retry_After="0"),
        reply(200, DONE),
    )
    told: list[JobState] = []
    assert asking.classify(b"clip", progress=told.append).best.label == "left"
    assert [state.state for state in told] == ["running", "succeeded"]
    paths = [request.path for request in server.requests]
    assert paths == ["/classify", "/jobs/j/events", *["/jobs/j"] * 3]


def test_events_that_break_off_before_the_first_are_given_up(
    asking: Client, server: Scripted
) -> None:
    server.say(events(), events(), reply(200, DONE))
    assert asking.job("j").wait().best.label == "left"
    assert [request.path for request in server.requests][2] == "/jobs/j"


def test_the_end_that_was_seen_before_is_asked_for(asking: Client, server: Scripted) -> None:
    server.say(reply(204), reply(200, DONE))
    assert asking.job("j").wait().job.id == "j"


def test_nobody_waits_for_a_job_longer_than_his_patience(kind: str, server: Scripted) -> None:
    server.say(ACCEPTED, events(event("1-0", running("track"))))
    with (
        opened(kind, server.url, patience_s=0.1) as client,
        pytest.raises(OutOfPatience, match="job j has not finished after 0 s") as error,
    ):
        client.classify(b"clip")
    assert error.value.job == "j"


def test_a_job_that_failed_or_was_cancelled_is_a_problem(asking: Client, server: Scripted) -> None:
    why = {"type": "urn:pointaction:problem:clip-too-long", "status": 422, "detail": "too long"}
    failed = job("failed", problem=why | {"job": "j", "limit": 60.0})
    server.say(events(event("1-0", failed)), events(event("1-0", job("cancelled"))))
    with pytest.raises(Problem, match="too long") as error:
        asking.job("j").wait()
    assert (error.value.kind, error.value.limit, error.value.job) == ("clip-too-long", 60.0, "j")
    with pytest.raises(Problem, match="job j was cancelled") as error:
        asking.job("j").wait()
    assert error.value.kind == "cancelled"


def test_what_the_callback_raises_goes_through(asking: Client, server: Scripted) -> None:
    server.say(ACCEPTED, events(event("1-0", running("decode"))))

    def enough(state: JobState) -> None:
        raise InterruptedError(state.stage)

    with pytest.raises(InterruptedError, match="decode"):
        asking.classify(b"clip", progress=enough)
