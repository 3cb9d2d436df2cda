"""How the time stamps of a file's frames are to be read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamps:
    """What one reading of a file's packets has found, so that no other need follow."""

    first_pts: int  # of the frame that is shown first
    last_s: float  # when the last is shown, seconds since the first
