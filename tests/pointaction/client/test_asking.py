"""What is sent again, what is not, and what is said then."""

import pytest

from pointaction.client import Client, Problem, Unreachable
from pointaction.errors import PointActionError
from tests.pointaction.client.both import opened
from tests.pointaction.client.scripted import Reply, Scripted, answer, drop, problem, reply

CLIP = b"a clip of some bytes"


@pytest.mark.parametrize(
    "first",
    [
        problem(429, "too-many-requests", Retry_After="0"),
        problem(503, "queue-down", Retry_After="0"),
        drop,
    ],
    ids=["429", "503", "dropped"],
)
def test_a_clip_is_sent_again_whole_under_the_same_key(
    asking: Client, server: Scripted, first: Reply
) -> None:
    server.say(first, reply(200, answer()))
    assert asking.classify(CLIP, model="tiny", top_k=2).best.label == "left"
    one, two = server.requests
    assert CLIP in one.body
    assert CLIP in two.body
    assert one.headers["Idempotency-Key"] == two.headers["Idempotency-Key"] != ""
    assert one.headers["Authorization"] == "Bearer secret"


def test_every_question_has_a_key_of_its_own(asking: Client, server: Scripted) -> None:
    server.say(reply(200, answer()), reply(200, answer()))
    keys = set()
    for _ in range(2):
        asking.classify(CLIP)
        keys.add(server.requests[-1].headers["Idempotency-Key"])
    assert len(keys) == 2


def test_nobody_waits_longer_than_his_patience(asking: Client, server: Scripted) -> None:
    server.say(problem(429, "quota-used-up", "the day is used up", Retry_After="86400"))
    with pytest.raises(Problem, match="the day is used up; come back in 86400 s") as error:
        asking.classify(CLIP)
    found = error.value
    assert (found.kind, found.status, found.retry_after_s) == ("quota-used-up", 429, 86400)
    assert (found.limit, found.value) == (1, 2)
    assert len(server.requests) == 1


def test_what_cannot_get_better_is_not_asked_again(asking: Client, server: Scripted) -> None:
    server.say(problem(422, "unknown-model", "no model 'x'"))
    with pytest.raises(Problem, match="no model 'x'"):
        asking.classify(CLIP, model="x")
    assert len(server.requests) == 1


@pytest.mark.parametrize("lost", [drop, problem(503, "queue-down", Retry_After="0")])
def test_what_might_then_be_done_twice_is_not_sent_again(
    asking: Client, server: Scripted, lost: Reply
) -> None:
    server.say(lost)
    with pytest.raises((Unreachable, Problem)):  # a second DELETE would delete what was cancelled
        asking.job("j").end()
    assert len(server.requests) == 1


def test_what_was_refused_for_coming_too_soon_was_not_done(
    asking: Client, server: Scripted
) -> None:
    server.say(problem(429, "too-many-requests", Retry_After="0"), reply(204))
    asking.job("j").end()
    assert [request.method for request in server.requests] == ["DELETE", "DELETE"]


def test_where_no_server_ever_was_none_is_waited_for(kind: str) -> None:
    with (
        opened(kind, "http://127.0.0.1:9") as client,
        pytest.raises(Unreachable, match=r"no server at http://127.0.0.1:9 .*pointaction serve"),
    ):
        client.models()


def test_a_missing_key_is_asked_for(asking: Client, server: Scripted) -> None:
    server.say(problem(401, "unauthorised", "send a key"))
    with pytest.raises(Problem, match=r"send a key; give the client a key: Client\(url, key=...\)"):
        asking.models()


def test_what_is_no_server_of_ours_is_said(asking: Client, server: Scripted) -> None:
    server.say(reply(200, {"hello": "world"}), reply(500, "<html>"))
    with pytest.raises(PointActionError, match="is no Classification .*is it a PointAction server"):
        asking.classify(CLIP)
    with pytest.raises(Problem, match="the server answered 500: .<html>"):
        asking.classify(CLIP)


def test_a_fault_of_the_server_is_for_its_operator() -> None:
    document = {"detail": "it broke", "request_id": "r1"}
    assert str(Problem(document, status=500)) == (
        "it broke; tell the operator of the server the request id r1"
    )
