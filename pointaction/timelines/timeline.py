"""What is done when in a video: the scores of its windows, and what they were made with.

Needs no torch, so that whoever only shows timelines can read them.

Shapes:  n windows   C labels
"""

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError
from pointaction.timelines.scorer import Scores
from pointaction.timelines.segments import RULE, Rule, Segment, segments
from pointaction.timelines.windows import Windows

VERSION = "1"  # of how windows are looked at: another one gives other scores
FILE_VERSION = 1
_SAID = ("labels", "windows", "window_s", "step_s", "duration_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """n windows of a video, all or the first ones, and a score for each of C labels."""

    labels: tuple[str, ...]
    starts: NDArray[np.float64]  # (n,) seconds since the first frame
    scores: NDArray[np.float32]  # (n, C) each row sums to 1
    none_of_these: NDArray[np.bool_] | None  # (n,) None: nobody knows
    windows: int  # that the video has; more than n where the others are not known yet
    window_s: float
    step_s: float
    duration_s: float  # of the video
    made: Mapping[str, Any] = field(default_factory=dict)  # video, model, tracker, as answers say

    def __post_init__(self) -> None:
        expected = (len(self.starts), len(self.labels))
        none = self.none_of_these
        if self.scores.shape != expected or not (none is None or none.shape == expected[:1]):
            raise InputError(
                f"a timeline of {expected[0]} windows and {expected[1]} labels has scores "
                f"{expected}, got {self.scores.shape}"
                + ("" if none is None else f" and none_of_these {none.shape}")
            )

    @classmethod
    def of(
        cls,
        parts: Iterable[Scores],
        labels: Sequence[str],
        windows: Windows,
        *,
        duration_s: float,
        made: Mapping[str, Any] | None = None,
        since: int = 0,
    ) -> "Timeline":
        """From the scores of windows in order, from window `since` on as far as they are known."""
        shares = [np.zeros((0, len(labels)), np.float32)]
        strange: list[NDArray[np.bool_] | None] = []
        for part in parts:
            shares.append(part.shares)
            strange.append(part.none_of_these)
        scores = np.concatenate(shares)
        known = [each for each in strange if each is not None]
        return cls(
            labels=tuple(labels),
            starts=windows.starts[since : since + len(scores)],
            scores=scores,
            none_of_these=np.concatenate(known) if known and len(known) == len(strange) else None,
            windows=windows.count,
            window_s=windows.window_s,
            step_s=windows.step_s,
            duration_s=duration_s,
            made=made or {},
        )

    @classmethod
    def unknown(cls) -> "Timeline":
        """Of a video of which nothing is known yet."""
        return cls(
            labels=(),
            starts=np.zeros(0),
            scores=np.zeros((0, 0), np.float32),
            none_of_these=None,
            windows=1,
            window_s=0.0,
            step_s=0.0,
            duration_s=0.0,
        )

    @classmethod
    def joined(cls, parts: Sequence["Timeline"]) -> "Timeline":
        """One of several of the same video that follow each other."""
        known = [part.none_of_these for part in parts if part.none_of_these is not None]
        return replace(
            parts[0],
            starts=np.concatenate([part.starts for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            none_of_these=np.concatenate(known) if len(known) == len(parts) else None,
        )

    def first(self, count: int) -> "Timeline":
        """The first `count` of its windows."""
        none = self.none_of_these
        return replace(
            self,
            starts=self.starts[:count],
            scores=self.scores[:count],
            none_of_these=None if none is None else none[:count],
        )

    @property
    def edges(self) -> NDArray[np.float64]:
        """(n + 1,) seconds: window i speaks for a step about its middle, from edge i to i + 1.

        The first also speaks for what is before it, and the last of the whole video for what is
        after it.
        """
        middle = self.starts + self.window_s / 2
        edges = np.append(middle - self.step_s / 2, middle[-1:] + self.step_s / 2)
        edges[:1] = 0
        if len(self.starts) == self.windows:
            edges[-1] = self.duration_s
        return edges

    def segments(self, rule: Rule = RULE) -> list[Segment]:
        """When what was done, by whatever rule."""
        none = self.none_of_these
        return segments(self.scores, self.edges, self.labels, rule, none_of_these=none)

    def save(self, file: Path | str | IO[bytes], *, rounded: bool = False) -> None:
        """Write an `.npz` without pickle; `rounded` to half precision, in half the room."""
        scores = self.scores.astype(np.float16) if rounded else self.scores
        arrays: dict[str, Any] = {"starts": self.starts, "scores": scores}
        if self.none_of_these is not None:
            arrays["none_of_these"] = self.none_of_these
        about = {name: getattr(self, name) for name in _SAID}
        about |= {"made": dict(self.made), "version": FILE_VERSION}
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        if isinstance(file, Path | str):
            with Path(file).open("wb") as opened:  # numpy would add a suffix to a name
                np.savez_compressed(opened, **arrays)
        else:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, file: Path | str | IO[bytes]) -> "Timeline":
        """What `save` wrote; InputError for anything else, OSError where there is no such file."""
        try:
            with np.load(file, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                if about.pop("version") != FILE_VERSION:
                    raise ValueError(f"this release reads version {FILE_VERSION}")
                about["labels"] = tuple(about["labels"])
                known = "none_of_these" in arrays.files
                return cls(
                    starts=arrays["starts"],
                    scores=arrays["scores"].astype(np.float32),
                    none_of_these=arrays["none_of_these"] if known else None,
                    **about,
                )
        except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"not a timeline written by pointaction ({error})") from error
