import pytest

from service.preferences import Patience, choose, patience
from service.problems import Refused

OFFERS = ["application/json", "application/x-npz"]


@pytest.mark.parametrize(
    ("prefer", "seconds", "applied"),
    [
        ([], 20, None),
        (["wait=5"], 5, "wait=5"),
        (["wait=0"], 0, "wait=0"),
        (['wait="7"'], 7, "wait=7"),
        (["foo; bar=1, WAIT=9"], 9, "wait=9"),
        (["foo", "wait=9"], 9, "wait=9"),
        (["wait=3, wait=50"], 3, "wait=3"),
        (["wait=3600"], 60, "wait=60"),
        (["wait=" + "9" * 5000], 60, "wait=60"),
        (["respond-async"], 0, "respond-async"),
        (["respond-async, wait=10"], 10, "wait=10"),
        (["wait=-1"], 20, None),
        (["wait=1.5"], 20, None),
        (["wait=soon"], 20, None),
        (["wait"], 20, None),
    ],
)
def test_the_wish_to_wait(prefer: list[str], seconds: float, applied: str | None) -> None:
    expected = Patience(seconds=seconds, applied=applied)
    assert patience(prefer, default_s=20, max_s=60) == expected


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/x-npz", "application/x-npz"),
        ("application/x-npz, */*;q=0.1", "application/x-npz"),
        ("application/json;q=0.2, application/x-npz;q=0.3", "application/x-npz"),
        ("application/json;q=0, */*", "application/x-npz"),
        ("text/html, application/json;q=0.9", "application/json"),
    ],
)
def test_the_media_type_that_is_liked_best(accept: str | None, chosen: str) -> None:
    assert choose(accept, OFFERS) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/json;q=x"])
def test_a_media_type_that_cannot_be_made_is_refused(accept: str) -> None:
    with pytest.raises(Refused, match="application/json or application/x-npz"):
        choose(accept, OFFERS)
