"""That the chaos suite sees what it looks for."""

from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from benchmarks.chaos.cases import Case, cases
from benchmarks.chaos.judge import Remains, Row, grown, judge
from benchmarks.chaos.witness import HalfSent, Sending, Witness
from workers.jobs import State

RESULT = {"job": "1", "predictions": [{"label": "nod", "score": 0.75}], "cached": False}
SUCCEEDED = [State.QUEUED, State.RUNNING, State.SUCCEEDED]


class Told(Witness):
    """Has asked already. Attention is as it should be, and every job `1` has ended twice."""

    def attention(self, job: str) -> str | None:
        return "looked there" if job != "forgotten" else None

    def finishes(self, sending: Sending) -> int:
        return 2 if sending.job == "twice" else 1


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    clip = tmp_path / "clip"
    clip.write_bytes(b"clip")
    witness = Told("http://nobody", Redis(), [clip], "http://nobody")
    witness.undisturbed = [({"predictions": RESULT["predictions"]}, "looked there")]
    return witness


def told(job: str = "1", states: list[State] = SUCCEEDED, **changes: Any) -> Sending:
    end = {"state": states[-1].value, "result": RESULT | changes}
    return Sending(0, job, states, end if states[-1].finished else {})


def judged(witness: Witness, sending: Sending, **allowed: bool) -> Row:
    case = Case("a case", lambda scene: True, **allowed)
    return judge(case, witness, [sending], seconds=1.0, whole=True, hit=True)


def test_what_ends_as_if_nothing_had_happened_is_well(witness: Witness) -> None:
    row = judged(witness, told(cached=True))  # from where it comes does not matter
    assert (row.well, row.sent, row.accepted, row.ended) == (True, 1, 1, 1)


@pytest.mark.parametrize(
    ("sending", "fault"),
    [
        (told(states=[State.QUEUED, State.RUNNING]), "lost"),
        (told("twice"), "doubled"),
        (told(predictions=[]), "mixed_up"),
        (told("forgotten"), "mixed_up"),
        (told(states=[State.QUEUED, State.RUNNING, State.FAILED]), "mixed_up"),
        (told(states=[State.RUNNING, State.QUEUED, State.SUCCEEDED]), "backwards"),
        (told(states=[State.FAILED, State.SUCCEEDED]), "backwards"),
    ],
)
def test_every_fault_is_seen(witness: Witness, sending: Sending, fault: str) -> None:
    row = judged(witness, sending)
    faults = ("lost", "doubled", "mixed_up", "backwards")
    assert [name for name in faults if getattr(row, name)] == [fault]
    assert not row.well


def test_what_was_never_accepted_is_not_well_and_what_may_be_forgotten_is(witness: Witness) -> None:
    assert not judged(witness, Sending(0)).well
    assert judged(witness, told("forgotten"), may_forget=True).well


def test_what_has_grown_is_named() -> None:
    before = Remains(files=6, descriptors={"api": 30}, memory={"api": 90.0}, processes={"api": 1})
    more = Remains(files=7, descriptors={"api": 90}, memory={"api": 190.0}, processes={"api": 2})
    assert grown(before, before) == []
    assert [line.split(":")[0] for line in grown(before, more)] == [
        "files",
        "processes",
        "descriptors of api",
        "memory of api",
    ]


def test_a_file_stops_once_when_half_of_it_is_read() -> None:
    stops: list[int] = []
    file = HalfSent(b"0123456789", lambda: stops.append(file.tell()))
    assert b"".join(iter(lambda: file.read(4), b"")) == b"0123456789"
    assert stops == [5]


def test_every_victim_has_its_case_at_every_moment() -> None:
    names = [case.name for case in cases(minutes=1)]
    assert len(set(names)) == len(names) == 7 * 13 + 11
