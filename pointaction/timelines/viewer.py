"""Look through a video of any length, window by window.

Memory holds one piece of it: a few windows that overlap, the points of which are followed once
(docs/decisions/0040-timelines.md).

Shapes:  n windows   C labels
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from pointaction.count import Count, uncounted
from pointaction.depth.base import Lifter
from pointaction.errors import InputError
from pointaction.pipeline import follow, lift_clip
from pointaction.timelines.pieces import Piece, piece_count, pieces
from pointaction.timelines.plan import Plan
from pointaction.timelines.reading import Wanted, reading
from pointaction.timelines.scorer import Scorer, Scores
from pointaction.timelines.window_tracks import window_tracks
from pointaction.timelines.windows import Windows
from pointaction.tracking.base import Tracker
from pointaction.tracking.lucas_kanade import LucasKanade
from pointaction.tracking.points import Choose
from pointaction.tracking.queries import random_queries
from pointaction.video.cut import LONG, file_digest
from pointaction.video.decode import survey
from pointaction.video.limits import DecodeLimits

TRACKS = 256  # of a window


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """How videos are looked through."""

    scorer: Scorer
    tracks: int = TRACKS  # of each window
    choose: Choose = random_queries
    tracker: Tracker = LucasKanade()
    lifter: Lifter | None = None  # looks at the frames of a piece; None: looming, in each window
    short_side: int = 256  # of the frames, pixels
    enlarge: bool = True
    limits: DecodeLimits = LONG  # of the file

    @property
    def labels(self) -> tuple[str, ...]:
        return self.scorer.labels

    def plan(
        self, path: Path, *, window_s: float = 3.0, step_s: float = 1.0, sha256: str | None = None
    ) -> Plan:
        """The windows of a video file, at the cost of its packets; raises what `decode` does."""
        if not path.is_file():
            raise InputError(f"there is no file {path.name!r}", kind="no-such-file")
        found = survey(path, self.limits)
        source = found.source
        last_s = source.duration_s * (1 - 1 / source.frames)
        frames = self.scorer.frames
        return Plan(
            path=path,
            sha256=sha256 or file_digest(path),
            source=source,
            windows=Windows.over(last_s, window_s=window_s, step_s=step_s, frames=frames),
            stamps=found.stamps,
        )

    def view(self, plan: Plan, *, since: int = 0, count: Count = uncounted) -> Generator[Scores]:
        """The windows' scores in order, some at a time, as soon as they are known.

        `since` is how many have been given before: all of some parts, from whatever beginning.
        `count` is told how many of all windows are done, and may raise to stop. Close the iterator
        (`contextlib.closing`) if you leave it early: a decoder waits at its other end. Raises what
        `decode` does.
        """
        if since >= plan.windows.count:
            return
        with closing(self._pieces(plan, since)) as coming:
            for piece in coming:
                yield self.look(piece)
                count(piece.windows.stop, plan.windows.count)

    def expected_seconds(self, plan: Plan) -> float:
        """About how long `view` will take, from the first two pieces of it."""
        begun = perf_counter()
        with closing(self._pieces(plan)) as coming:
            first = next(coming)
            opened = perf_counter() - begun  # the file is opened but once
            self.look(first)  # the first call of anything is slower
            begun = perf_counter()
            self.look(next(coming, first))
            each = perf_counter() - begun
        return opened + each * piece_count(plan.windows)

    def look(self, piece: Piece) -> Scores:
        """The scores of a piece's windows."""
        tracks = follow(piece.clip, self.tracker, tracks=self.tracks, choose=self.choose)
        if self.lifter is not None:
            tracks = lift_clip(piece.clip, tracks, self.lifter)
        frames = self.scorer.frames
        return self.scorer.score(
            [window_tracks(tracks, start, frames, count=self.tracks) for start in piece.starts]
        )

    def _pieces(self, plan: Plan, since: int = 0) -> Generator[Piece]:
        windows = plan.windows
        wanted = Wanted(
            frames=windows.total,
            end_s=(windows.total - 1) * windows.every_s,
            short_side=self.short_side,
            enlarge=self.enlarge,
            since=since * windows.step,
            stamps=plan.stamps,
        )
        with reading(plan.path, wanted, self.limits) as frames:
            yield from pieces(frames, windows, sha256=plan.sha256, source=plan.source, since=since)
