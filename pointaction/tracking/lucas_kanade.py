"""The default tracker: pyramidal Lucas-Kanade, forward and backward from every query. No weights.

J.-Y. Bouguet, "Pyramidal implementation of the Lucas Kanade feature tracker" (2000), as OpenCV
has it. Every step is checked by going back: a point that does not return to within two pixels
of where it came from is lost, and stays lost in that direction, at its last place. That is the
habit which `pointaction.synthetic.noise` imitates in training.

Shapes:  N tracks   T frames
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.count import Count, uncounted
from pointaction.timing import seconds
from pointaction.tracks import Tracks

_POSITION_STEP = 1 / 32  # pixels; finer than the method is true, and exact in any float format


@dataclass(frozen=True, kw_only=True)
class LucasKanade:
    """Settings of the tracker; lengths in pixels of the clip (short side 256)."""

    window: int = 15
    levels: int = 3
    returns_within: float = 2.0  # greatest forward-backward error of a visible point
    texture: float = 1e-5  # smallest eigenvalue of the patch's structure (OpenCV's scale)
    iterations: int = 15
    epsilon: float = 0.03

    def track(
        self, clip: Clip, queries: NDArray[np.float32], *, count: Count = uncounted
    ) -> Tracks:
        """Follow queries (N, 3) of (frame, x, y) in pixels through all frames of the clip."""
        greys = [_grey(frame) for frame in clip.frames]
        frames = len(greys)
        xy = np.repeat(queries[:, None, 1:], frames, axis=1).astype(np.float32)
        confidence = np.zeros((len(queries), frames), np.float32)
        start = queries[:, 0].astype(int)
        confidence[np.arange(len(queries)), start] = 1.0

        for sweep, order in enumerate((range(frames), range(frames - 1, -1, -1))):
            steps = self._sweep(greys, list(order), start, clip.size, xy, confidence)
            for step in steps:
                count(sweep * (frames - 1) + step + 1, 2 * (frames - 1))

        return Tracks(
            xy=(np.round(xy / _POSITION_STEP) * _POSITION_STEP).astype(np.float32),
            visible=confidence > 0,
            confidence=confidence,
            query=queries,
            size=clip.size,
            times=clip.times,
        )

    def expected_seconds(self, clip: Clip, queries: NDArray[np.float32]) -> float:
        """About how long `track` will take, from one step; less where points are lost."""
        here, there = _grey(clip.frames[0]), _grey(clip.frames[1])
        # On average half of the points are on their way in either direction.
        points = np.ascontiguousarray(queries[::2, 1:])
        return 2 * len(clip.frames) * seconds(lambda: self._step(here, there, points, clip.size))

    def _sweep(
        self,
        greys: list[cv2.typing.MatLike],
        order: list[int],
        start: NDArray[np.int_],
        size: tuple[int, int],
        xy: NDArray[np.float32],
        confidence: NDArray[np.float32],
    ) -> Iterator[int]:
        """Walk the frames in one direction, each point from its own start; fills in place.

        Gives the number of each step when it is done.
        """
        time_of = np.argsort(order)  # frame -> step of this walk
        begun = time_of[start]
        alive = np.ones(len(start), bool)
        for step, (here, there) in enumerate(zip(order[:-1], order[1:], strict=True)):
            walking = begun <= step
            xy[walking, there] = xy[walking, here]  # the lost stay where they were last seen
            moving = np.flatnonzero(walking & alive)
            if len(moving):
                place, trust = self._step(greys[here], greys[there], xy[moving, here], size)
                kept = trust > 0
                alive[moving[~kept]] = False
                xy[moving[kept], there] = place[kept]
                confidence[moving[kept], there] = trust[kept]
            yield step

    def _step(
        self,
        here: cv2.typing.MatLike,
        there: cv2.typing.MatLike,
        points: NDArray[np.float32],
        size: tuple[int, int],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where points (n, 2) go, and how far to trust it: exp(-error), 0 for lost."""
        there_xy, found = self._flow(here, there, points)
        back_xy, returned = self._flow(there, here, there_xy)
        error = np.linalg.norm(back_xy - points, axis=1)
        height, width = size
        inside = ((there_xy >= -0.5) & (there_xy <= (width - 0.5, height - 0.5))).all(1)
        kept = found & returned & inside & (error <= self.returns_within)
        return there_xy, np.where(kept, np.exp(-error), 0).astype(np.float32)

    def _flow(
        self,
        here: cv2.typing.MatLike,
        there: cv2.typing.MatLike,
        points: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        criteria = (
            cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS,
            self.iterations,
            self.epsilon,
        )
        found, status, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]
            here,
            there,
            points[:, None],
            None,  # no first guess
            winSize=(self.window, self.window),
            maxLevel=self.levels,
            criteria=criteria,
            minEigThreshold=self.texture,
        )
        return found[:, 0], status[:, 0].astype(bool)


def _grey(frame: NDArray[np.uint8]) -> cv2.typing.MatLike:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
