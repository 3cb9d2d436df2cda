"""What `pointaction doctor` finds: one line about one thing, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    about: str  # one word: what was looked at
    level: Level
    says: str  # what it is like; never an address, a password or a key
    remedy: str  # what to do about it; empty where it is ok


def ok(about: str, says: str) -> Finding:
    return Finding(about=about, level="ok", says=says, remedy="")


def warning(about: str, says: str, remedy: str) -> Finding:
    """It works, and there will be trouble."""
    return Finding(about=about, level="warning", says=says, remedy=remedy)


def wrong(about: str, says: str, remedy: str) -> Finding:
    """It does not work, or what is accepted can be lost."""
    return Finding(about=about, level="wrong", says=says, remedy=remedy)
