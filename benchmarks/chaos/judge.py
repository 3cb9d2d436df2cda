"""What came of a case, and what the service takes up before and after."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.cases import Case
from benchmarks.chaos.stack import Stack
from benchmarks.chaos.witness import Sending, Witness
from workers.jobs import State

# What may be more at the end than at the beginning, and why: connections are opened as many as
# were needed at once; memory is that of other processes than at the beginning, whose allocators
# have seen another history.
_MORE_DESCRIPTORS = 48
_MORE_MEMORY = 1.25


@dataclass(frozen=True)
class Row:
    """What came of a case, in jobs."""

    name: str
    sent: int
    accepted: int
    ended: int
    lost: int  # accepted, and in no final state when nobody would wait any longer
    doubled: int  # entered a final state more than once
    mixed_up: int  # another result than that clip's, or another end than it may have
    backwards: int  # seen in a state that comes before one seen earlier
    seconds: float
    whole: bool  # everything ran and nothing was left afterwards
    hit: bool  # the moment came

    @property
    def well(self) -> bool:
        faults = self.lost + self.doubled + self.mixed_up + self.backwards
        return self.hit and self.whole and not faults and self.sent == self.ended


@dataclass(frozen=True)
class Remains:
    """What the service takes up."""

    files: int  # in the data folder, but for Redis's
    descriptors: dict[str, int]  # by role: the most of one process
    memory: dict[str, float]  # MiB, resident, by role: the most of one process
    processes: dict[str, int]  # by role

    @classmethod
    def of(cls, stack: Stack) -> "Remains":
        found = {role: pids for role, pids in stack.processes().items() if role != "decoder"}
        return cls(
            files=sum(
                path.is_file() for path in stack.data.rglob("*") if "redis" not in path.parts
            ),
            descriptors={role: max(map(_descriptors, pids)) for role, pids in found.items()},
            memory={role: max(map(_resident_mb, pids)) for role, pids in found.items()},
            processes={role: len(pids) for role, pids in found.items()},
        )


def judge(
    case: Case,
    witness: Witness,
    sendings: Sequence[Sending],
    *,
    seconds: float,
    whole: bool,
    hit: bool,
) -> Row:
    """Compare what was said of the jobs with what would have been if nothing had happened."""
    accepted = [each for each in sendings if each.job]
    ends = Counter(each.end.get("state") for each in accepted)
    unwanted = 0 if case.may_fail else ends[State.FAILED] + ends[State.CANCELLED]
    mixed_up = sum(witness.mixed_up(each, has_attention=not case.may_forget) for each in accepted)
    ended = sum(ends[state] for state in State if state.finished)
    return Row(
        name=case.name,
        sent=len(sendings),
        accepted=len(accepted),
        ended=ended,
        lost=len(accepted) - ended,
        doubled=sum(witness.finishes(each) > 1 for each in accepted),
        mixed_up=mixed_up + unwanted,
        backwards=sum(each.backwards for each in accepted),
        seconds=seconds,
        whole=whole,
        hit=hit,
    )


def grown(before: Remains, after: Remains) -> list[str]:
    """What is more than it should be. The broker's memory is not looked at: it keeps records of all
    jobs for a day.
    """
    grown = []
    if after.files > before.files:
        grown.append(f"files: {before.files} to {after.files}")
    if after.processes != before.processes:
        grown.append(f"processes: {before.processes} to {after.processes}")
    for role, count in after.descriptors.items():
        if count > before.descriptors[role] + _MORE_DESCRIPTORS:
            grown.append(f"descriptors of {role}: {before.descriptors[role]} to {count}")
    for role, memory in after.memory.items():
        if role != "broker" and memory > before.memory[role] * _MORE_MEMORY:
            grown.append(f"memory of {role}: {before.memory[role]:.0f} to {memory:.0f} MiB")
    return grown


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20
