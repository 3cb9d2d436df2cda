"""CoTracker3 as a tracker of clips: any size, any length, any number of points.

The model looks at 384 x 512 pixels (the aspect ratio is not kept, corners lie on corners) and
at no more than a window of frames at once. What surrounds it is the official offline predictor:
a 6 x 6 grid of support points beside the queries, a second pass over the reversed clip for the
frames before each query, and a threshold on visibility alone.

Differs from it: clips longer than `window` frames, which it would swallow whole, go window by
window (see `CoTracker3`), and more than `tracks_at_once` points group by group. Features are
computed once for all groups and both ways.

Shapes:  N tracks   T frames   S pyramid levels   K places of a patch   C feature channels
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointaction.clip import Clip
from pointaction.count import Count, uncounted
from pointaction.errors import InputError
from pointaction.methods import Precision
from pointaction.tracking.cotracker3 import (
    MODEL_SIZE,
    VIRTUAL_TRACKS,
    Attention,
    CoTracker3Offline,
    Mlp,
    Pyramid,
    State,
)
from pointaction.tracks import MAX_SIDE, Tracks

_DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_MARGIN = MODEL_SIZE[1] / 64  # pixels of the model between a regular grid and the border


def compile_parts(model: CoTracker3Offline) -> None:
    """Let torch.compile join small steps. Takes a C++ compiler and a minute at first use."""
    model.fnet.compile()
    for part in model.modules():
        if isinstance(part, Mlp | Attention):
            part.compile(dynamic=True)


@dataclass(frozen=True, kw_only=True)
class CoTracker3:
    """Settings of the tracker; it works where its model is.

    A clip of at most `window` frames is answered as the official predictor answers it. A longer one
    is swept in windows that overlap. Each window starts from what the one before it believed: in
    the frames that they share its positions and visibilities, and in those that are new the last
    position. What a point looks like is taken once, in the frame where it was asked, so that no
    window hands its drift to the next. A sweep only goes onward from each query; for the frames
    before it there is a second sweep, backward, whatever `both_ways` says. The windows are our own
    design, and how far they fall behind one pass over all frames was not measured: the published
    weights were not at hand.

    Memory: 8.4 MB of features for each frame of a window (half of that in bfloat16), and for
    clips of several windows 0.1 MB for each query. Windows are computed once for each sweep.

    Points in different groups of `tracks_at_once` do not know of each other, so grouping changes
    answers a little; within a group they are those of the official model. All groups have
    the support points. bfloat16 is fast where the hardware has it (AMX, AVX-512 BF16, CUDA) and
    slow elsewhere.
    """

    model: CoTracker3Offline
    precision: Precision = "float32"
    iterations: int = 6
    both_ways: bool = True  # a pass over the reversed clip for the frames before a query
    support: int = 6  # side of the grid of points that are tracked along; 0: none
    visible_above: float = 0.9
    tracks_at_once: int = 2500
    window: int = 96
    overlap: int = 24

    def __post_init__(self) -> None:
        if not 0 < self.overlap < self.window:
            raise InputError(
                f"windows of {self.window} frames cannot share {self.overlap}; "
                "overlap must be at least 1 and less than window"
            )

    def track(
        self, clip: Clip, queries: NDArray[np.float32], *, count: Count = uncounted
    ) -> Tracks:
        """Follow queries (N, 3) of (frame, x, y) in pixels through all frames of the clip.

        A track's confidence is the model's visibility times its confidence (that the position is
        near the truth): low where a point is hidden, and where it is in doubt.
        In the frame of its query a track is where it was asked, visible, with confidence 1.

        `count` is told of every iteration over the frames of a window.
        """
        _check(clip, queries)
        film = _Film(self.model, clip, _DTYPES[self.precision])
        asked = torch.from_numpy(_to_model(queries, clip.size)).to(film.device)
        sweeps = self._sweeps(clip, queries)
        groups = -(-len(queries) // self.tracks_at_once)
        once = sum(map(len, self._windows(film.frames))) * len(sweeps)
        done, total = 0, once * groups * self.iterations

        def seen(frames: int) -> None:
            nonlocal done
            done += frames
            count(done, total)

        belief, *behind = (self._sweep(film, asked, seen, backward=way) for way in sweeps)
        if behind:
            before = torch.arange(film.frames, device=film.device) < asked[:, :1]  # (N, T)
            belief = belief.where(~before, behind[0])
        return self._tracks(clip, queries, belief)

    def expected_seconds(self, clip: Clip, queries: NDArray[np.float32]) -> float:
        """About how long `track` will take, from a second or two of the same work.

        A machine that is busy with other things later will take longer.
        """
        _check(clip, queries)
        film = _Film(self.model, clip, _DTYPES[self.precision])
        tracks, frames = 64, 12
        film.pyramid(range(1), backward=False)  # the first call of anything is slower
        start = perf_counter()
        one = film.pyramid(range(1, 2), backward=False)
        per_frame = perf_counter() - start

        still = one.look(torch.zeros(frames, dtype=torch.long, device=film.device))
        asked = torch.zeros(tracks, 3, device=film.device)
        start = perf_counter()
        self.model.refine(still, asked, 1)[0].sum().item()  # waits for a GPU to be done
        per_token = (perf_counter() - start) / (frames * (tracks + VIRTUAL_TRACKS))

        windows, sweeps = self._windows(film.frames), self._sweeps(clip, queries)
        company = (self.support**2 + VIRTUAL_TRACKS) * -(-len(queries) // self.tracks_at_once)
        tokens = 0
        for backward in sweeps:
            when = film.frames - 1 - queries[:, 0] if backward else queries[:, 0]
            tokens += sum(len(part) * (company + (when < part.stop).sum()) for part in windows)
        # Where one sweep ends the next one begins: that window is looked at once.
        looked = sum(map(len, windows)) * len(sweeps) - len(windows[-1]) * (len(sweeps) - 1)
        return per_frame * looked + per_token * int(tokens) * self.iterations

    def _windows(self, frames: int) -> list[range]:
        """Ranges of at most `window` frames; the last one ends where the clip does."""
        if frames <= self.window:
            return [range(frames)]
        last = frames - self.window
        starts = [*range(0, last, self.window - self.overlap), last]
        return [range(start, start + self.window) for start in starts]

    def _sweeps(self, clip: Clip, queries: NDArray[np.float32]) -> tuple[bool, ...]:
        """Which ways to go: whether backward, for each sweep."""
        twice = self.both_ways or len(clip.frames) > self.window
        return (False, True) if twice and (queries[:, 0] >= 1).any() else (False,)

    def _sweep(
        self, film: "_Film", asked: Tensor, seen: Callable[[int], None], *, backward: bool
    ) -> State:
        """What is believed of queries asked (N, 3), in the frames from each query onward."""
        if backward:
            time = film.frames - 1 - asked[:, :1]
            asked = torch.cat([time, asked[:, 1:]], -1)
        company = regular_grid(self.support).to(asked)
        groups = [_Group(part, company, film.frames) for part in asked.split(self.tracks_at_once)]
        reached = 0
        for window in self._windows(film.frames):
            self._onward(film, groups, window, reached, seen, backward=backward)
            reached = window.stop
        belief = State(
            *(torch.cat(parts) for parts in zip(*(g.own() for g in groups), strict=True))
        )
        return State(*(field.flip(1) for field in belief)) if backward else belief

    def _onward(
        self,
        film: "_Film",
        groups: list["_Group"],
        window: range,
        reached: int,
        seen: Callable[[int], None],
        *,
        backward: bool,
    ) -> None:
        """One window, in the sweep's own time, which was `reached` by the windows before."""
        pyramid = film.pyramid(window, backward=backward)
        for group in groups:
            group.company_at(window[-1] if backward else window[0])
            group.refine(
                self.model, pyramid, window, reached, self.iterations, lambda: seen(len(window))
            )
            if window.stop == film.frames:
                group.looks = None

    def _tracks(self, clip: Clip, queries: NDArray[np.float32], belief: State) -> Tracks:
        xy, visibility, confidence = (
            part.transpose(0, 1).cpu().numpy() for part in belief.answer()
        )
        # Nothing holds a lost point back; it ends where tracks files do.
        xy = _to_clip(xy, clip.size).clip(-2 * MAX_SIDE, 2 * MAX_SIDE)
        confidence = confidence * visibility
        visible = visibility > self.visible_above
        row, frame = np.arange(len(queries)), queries[:, 0].astype(int)
        xy[row, frame], visible[row, frame], confidence[row, frame] = queries[:, 1:], True, 1
        return Tracks(
            xy=xy,
            visible=visible,
            confidence=confidence,
            query=queries,
            size=clip.size,
            times=clip.times,
        )


def track_all(
    tracker: CoTracker3, clips: Iterable[tuple[Clip, NDArray[np.float32]]]
) -> list[Tracks]:
    """Tracks of several clips, of any lengths and sizes, each with its own queries.

    They go one after another, and each is answered as if it were alone. To fill up short ones
    would change what the model computes (its clock is stretched over the frames, and every frame is
    read by every other) or ask for masks, to save nothing: one clip keeps a GPU busy as it is.
    """
    return [tracker.track(clip, queries) for clip, queries in clips]


def regular_grid(side: int) -> Tensor:
    """A square grid (side * side, 3) of queries in frame 0, in pixels of the model, row by row."""
    height, width = MODEL_SIZE
    y = torch.linspace(_MARGIN, height - _MARGIN, side)
    x = torch.linspace(_MARGIN, width - _MARGIN, side)
    xy = torch.cartesian_prod(y, x).flip(-1) if side else torch.zeros(0, 2)
    return torch.cat([torch.zeros(len(xy), 1), xy], -1)


def predictor_grid(
    clip: Clip, *, side: int, frame: int, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """The official predictor's grid queries (N, 3) in pixels of the clip.

    Of a mask (H, W), those on it. (The predictor tracks a grid alone, `support=0`, unless there is
    a mask.)
    """
    grid = regular_grid(side).numpy()
    if mask is not None:
        height, width = MODEL_SIZE
        x, y = grid[:, 1:].round().astype(int).T
        grid = grid[mask[y * clip.size[0] // height, x * clip.size[1] // width]]
    grid[:, 0] = frame
    grid[:, 1:] = _to_clip(grid[:, 1:], clip.size)
    return grid


class _Film:
    """A clip as the model looks at it; remembers the window it was last asked for."""

    def __init__(self, model: CoTracker3Offline, clip: Clip, dtype: torch.dtype) -> None:
        self.model = model
        self.pictures = clip.frames
        self.frames = len(clip.frames)
        self.dtype = dtype
        self.device = model.time_emb.device
        self.held: tuple[range, Pyramid] | None = None

    def pyramid(self, window: range, *, backward: bool) -> Pyramid:
        """Features of a window, which is counted from the clip's end where we go backward."""
        if backward:
            window = range(self.frames - window.stop, self.frames - window.start)
        if self.held is None or self.held[0] != window:
            self.held = None  # let go of the old one before there is a new one
            part = self.pictures[window.start : window.stop].copy()  # torch takes no read-only ones
            pictures = torch.from_numpy(part).movedim(-1, 1)  # (T, 3, H, W)
            self.held = window, self.model.features(pictures, size=MODEL_SIZE, dtype=self.dtype)
        pyramid = self.held[1]
        if backward:
            return pyramid.look(torch.arange(len(window) - 1, -1, -1, device=self.device))
        return pyramid


class _Group:
    """Tracks that know of each other: queries (n, 3), and company that is dropped at the end.

    All times are the sweep's own.
    """

    def __init__(self, queries: Tensor, company: Tensor, frames: int) -> None:
        self.count = len(queries)
        self.asked = torch.cat([queries, company])  # (n + company, 3)
        self.belief = State.at(self.asked, frames)
        self.looks: Tensor | None = None  # (S, n + company, K, C)

    def own(self) -> State:
        """What is believed of the queries."""
        return State(*(field[: self.count] for field in self.belief))

    def company_at(self, frame: int) -> None:
        """Each window has fresh company: the old one may have left the picture."""
        self.asked[self.count :, 0] = frame

    def refine(
        self,
        model: CoTracker3Offline,
        pyramid: Pyramid,
        window: range,
        reached: int,
        iterations: int,
        each: Callable[[], None],
    ) -> None:
        """Follow all whose frame has come through `window`; `reached` is as far as they were.

        `each` is called after each iteration.
        """
        come = self.asked[:, 0] < window.stop
        known = come & (self.asked[:, 0] < reached)
        known[self.count :] = False
        local = self.asked - self.asked.new_tensor([window.start, 0, 0])
        self._look(model, pyramid, local, come & ~known)
        assert self.looks is not None
        state = State.at(local[come], len(window))
        if known.any():
            self._recall(state, known[come], known, window, reached)
        looks = self.looks if come.all() else self.looks[:, come]
        state = model.iterate(pyramid, looks, state, iterations, each=each)
        for field, found in zip(self.belief, state, strict=True):
            field[come, window.start : window.stop] = found

    def _look(self, model: CoTracker3Offline, pyramid: Pyramid, local: Tensor, new: Tensor) -> None:
        found = model.describe(pyramid, local[new])
        if self.looks is None:
            levels, _, *patch = found.shape
            self.looks = found.new_zeros(levels, len(self.asked), *patch)
        self.looks[:, new] = found

    def _recall(
        self, state: State, rows: Tensor, known: Tensor, window: range, reached: int
    ) -> None:
        """Fill in what is known: the frames that were reached, and the last place beyond."""
        shared = reached - window.start
        state.xy[rows] = self.belief.xy[known, reached - 1 : reached]
        for field, past in zip(state, self.belief, strict=True):
            field[rows, :shared] = past[known, window.start : reached]


def _check(clip: Clip, queries: NDArray[np.float32]) -> None:
    frames = len(clip.frames)
    if frames < 2:
        raise InputError("a clip needs at least 2 frames to be tracked", limit=2, value=frames)
    if queries.ndim != 2 or queries.shape[1] != 3 or len(queries) == 0:
        raise InputError(f"queries must be (N >= 1, 3) of (frame, x, y), got {queries.shape}")
    if not np.isfinite(queries).all():
        raise InputError("queries must be numbers; some are NaN or infinite")
    outside = (queries[:, 0] < 0) | (queries[:, 0] >= frames)
    if outside.any():
        raise InputError(
            f"queries start in frames 0 to {frames - 1} of this clip, "
            f"got {queries[outside][0, 0]:g}",
            limit=frames - 1,
            value=float(queries[outside][0, 0]),
        )


def _to_model(queries: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Queries in pixels of the clip, in pixels of the model, in whole frames."""
    xy = queries[:, 1:] * _scale(size)
    return np.concatenate([np.floor(queries[:, :1]), xy], 1).astype(np.float32)


def _to_clip(xy: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return (xy / _scale(size)).astype(np.float32)


def _scale(size: tuple[int, int]) -> NDArray[np.float32]:
    """Model pixels per clip pixel, (x, y): the centres of the corner pixels stay on each other."""
    height, width = size
    model_height, model_width = MODEL_SIZE
    return np.array(
        [(model_width - 1) / max(1, width - 1), (model_height - 1) / max(1, height - 1)],
        np.float32,
    )
