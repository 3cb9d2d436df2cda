"""Held-out performances of the procedural world, and what a model makes of them.

A programme says what is performed; a sight says how it reaches the model: as exact tracks, as a
tracker might have seen them, or as rendered pixels through the tracker, the way of a user's clip.
A programme is cut into chunks of clips, each of which has a seed of its own: the same performances
come whatever the sight, and processes can share the work. Where clips share identities it is one
chunk, because those are drawn together. The seeds are far from those of training
(`seed * 1_000_003 + step`).

Shapes:  n clips   B clips of a chunk   N tracks   T frames   C labels of the model   D width
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from pointaction.count import Count
from pointaction.depth.looming import looming
from pointaction.errors import InputError
from pointaction.models.views import answer
from pointaction.synthetic.filming import SIDE, film
from pointaction.synthetic.noise import TrackerNoise, track_imperfectly
from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.scenes import Scenes, follow
from pointaction.synthetic.stage import perform, sample_scenes
from pointaction.synthetic.variety import TRAINING, WIDE
from pointaction.synthetic.vocabulary import LABELS
from pointaction.tokens.normalise import geometry
from pointaction.tokens.units import to_units

if TYPE_CHECKING:
    from pointaction.pipeline import Recogniser

HELD_OUT_SEED = 9_000_000_000
UNNAMED = -1  # the label of a motion that has no name
FRAMES = 32  # of a performance
_CHUNK = 16


class Staged(Protocol):
    """Performances, cut into chunks."""

    @property
    def chunks(self) -> range: ...

    def stage(self, chunk: int) -> tuple[Scenes, Generator]:
        """The scenes of one chunk, and the chance that is left for looking at them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme(Staged):
    """Named motions, or motions made up at random, each of which comes once."""

    labels: Tensor  # (n,) indices into LABELS, or all UNNAMED
    seed: int = 0
    wide: bool = False  # more widely varied than in training
    identity: Tensor | None = None  # (n,) the same number: the same body, room, things, textures

    @classmethod
    def unnamed(cls, count: int, *, seed: int, wide: bool = False) -> "Programme":
        """Motion programs made up at random."""
        return cls(labels=torch.full((count,), UNNAMED), seed=seed, wide=wide)

    @property
    def chunks(self) -> range:
        return range(1 if self.identity is not None else -(-len(self.labels) // _CHUNK))

    def stage(self, chunk: int) -> tuple[Scenes, Generator]:
        """The scenes of one chunk, and the chance that is left for looking at them."""
        generator = Generator().manual_seed(HELD_OUT_SEED + self.seed * 1_000_003 + chunk)
        variety = WIDE if self.wide else TRAINING
        labels = self.labels
        if self.identity is None:
            labels = labels[chunk * _CHUNK : (chunk + 1) * _CHUNK]
        if (labels == UNNAMED).all():
            score = sample_programs(len(labels), generator)
            scenes = perform(score, frames=FRAMES, variety=variety, generator=generator)
        else:
            scenes = sample_scenes(
                labels,
                frames=FRAMES,
                variety=variety,
                generator=generator,
                identity=self.identity,
            )
        return scenes, generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How a performance reaches the model."""

    points: int = 512
    frames: int = FRAMES  # that are seen, evenly spread from the first to the last
    side: int | None = None  # pixels of the rendered picture's longer side; None: no pixels
    noise: TrackerNoise | None = None  # on tracks that do not come from pixels


EXACT = Sight()
TRACKED = Sight(noise=TrackerNoise())
PIXELS = Sight(side=SIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A chunk as the model takes it."""

    geometry: Tensor  # (B, N, T, 3)
    visible: Tensor  # (B, N, T) bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a model made of n clips."""

    logits: Tensor  # (n, C)
    cls: Tensor  # (n, D)
    labels: Tensor  # (n,) indices into the model's own labels; -1: it has no name for it

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor) -> "Seen":
        """Some of the clips, by index or by flag."""
        return Seen(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})

    def among(self, labels: Sequence[int]) -> "Seen":
        """The clips of some labels."""
        return self[torch.isin(self.labels, torch.tensor(labels))]


def common_labels(known: Sequence[str]) -> Tensor:
    """Those of LABELS, as indices, that a model knows; InputError when there is none."""
    common = [number for number, name in enumerate(LABELS) if name in set(known)]
    if not common:
        raise InputError("the model knows none of the motions of the procedural world")
    return torch.tensor(common)


def own_labels(names: Sequence[str]) -> Tensor:
    """The number that a model with these labels has for each of LABELS, or UNNAMED."""
    return torch.tensor([names.index(name) if name in names else UNNAMED for name in LABELS])


def see(
    recogniser: "Recogniser",
    programme: Programme,
    sight: Sight,
    *,
    progress: Count,
    pool: Executor | None = None,
) -> Seen:
    """Perform the programme before a model; a pool of `performers` shares the looking."""
    names, clock = recogniser.entry.labels, recogniser.model.encoder.config.frames
    count, done = len(programme.labels), 0
    found: list[tuple[Tensor, Tensor]] = []
    for inputs in watch(programme, sight, clock=clock, pool=pool):
        with torch.inference_mode():
            told = answer(
                recogniser.asked, inputs.geometry, inputs.visible, recogniser.entry.symmetry
            )
            found.append((told.logits, told.embedded))
        done += len(told.logits)
        progress(done, count)
    logits, cls = (torch.cat(parts).clone() for parts in zip(*found, strict=True))
    named = programme.labels != UNNAMED
    labels = torch.where(named, own_labels(names)[programme.labels.clamp(min=0)], UNNAMED)
    return Seen(logits=logits, cls=cls, labels=labels)


@contextmanager
def performers(processes: int) -> Iterator[Executor | None]:
    """So many processes to share the looking, for `see` and `watch`; one looks by itself."""
    if processes == 1:
        yield None
        return
    # Not forked: OpenMP's threads would not survive it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        yield pool


def watch(
    programme: Staged, sight: Sight, *, clock: int, pool: Executor | None = None
) -> Iterator[Inputs]:
    """The programme a few clips at a time, in order, on a model's own clock of `clock` frames."""
    look = partial(_watch_chunk, programme, sight, clock)
    if pool is None:
        for chunk in programme.chunks:
            yield from look(chunk)
        return
    for arrays in pool.map(partial(_as_arrays, look), programme.chunks):
        yield from (
            Inputs(geometry=torch.from_numpy(xyz), visible=torch.from_numpy(visible))
            for xyz, visible in arrays
        )


def _watch_chunk(programme: Staged, sight: Sight, clock: int, chunk: int) -> Iterator[Inputs]:
    scenes, generator = programme.stage(chunk)
    look = look_at_tracks if sight.side is None else look_at_pixels
    for start in range(0, len(scenes.label), _CHUNK):
        few = scenes.rows(slice(start, start + _CHUNK))
        with torch.inference_mode():
            inputs = look(few, sight, clock=clock, generator=generator)
        yield inputs


def _as_arrays(
    look: Callable[[int], Iterator[Inputs]], chunk: int
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Plain arrays go from one process to another by copy, without open files."""
    return [(inputs.geometry.numpy(), inputs.visible.numpy()) for inputs in look(chunk)]


def look_at_tracks(scenes: Scenes, sight: Sight, *, clock: int, generator: Generator) -> Inputs:
    """Without pixels: all scenes at once."""
    exact = follow(scenes, points=sight.points, generator=generator)
    xy, visible = exact.xy, exact.visible
    if sight.noise is not None:
        noisy = track_imperfectly(exact, sight.noise, generator=generator)
        xy, visible = noisy.xy, noisy.visible
    kept = torch.from_numpy(_kept(scenes.frames, sight.frames))
    xy, visible = xy[:, :, kept], visible[:, :, kept]
    depth = looming(xy, visible)
    position = torch.linspace(0, sight.frames - 1, clock)
    before = position.long().clamp(max=sight.frames - 2)
    share = position - before
    nearest = torch.where(share < 0.5, before, before + 1)
    # As `tokens.resample` does with a single clip.
    xy = torch.lerp(xy[:, :, before], xy[:, :, before + 1], share[:, None])
    depth = torch.lerp(depth[:, :, before], depth[:, :, before + 1], share)
    return Inputs(geometry=geometry(xy, depth), visible=visible[:, :, nearest])


def look_at_pixels(scenes: Scenes, sight: Sight, *, clock: int, generator: Generator) -> Inputs:
    """Scene by scene: drawn, tracked and lifted as a user's clip is."""
    from pointaction.pipeline import track_clip
    from pointaction.tokens.resample import resample

    assert sight.side is not None  # the caller asks for pixels
    kept = _kept(scenes.frames, sight.frames)
    parts: list[tuple[Tensor, Tensor]] = []
    for row in range(len(scenes.label)):
        clip = film(scenes, row, side=sight.side, generator=generator, kept=kept)
        tracks = resample(track_clip(clip, tracks=sight.points), clock)
        assert tracks.depth is not None  # `track_clip` lifts
        xy, visible = to_units(tracks)
        depth = torch.from_numpy(np.ascontiguousarray(tracks.depth))[None]
        parts.append((geometry(xy, depth), visible))
    geometries, seen = zip(*parts, strict=True)
    return Inputs(geometry=torch.cat(geometries), visible=torch.cat(seen))


def _kept(frames: int, count: int) -> NDArray[np.intp]:
    """Which `count` of the frames are seen."""
    return np.linspace(0, frames - 1, count).round().astype(np.intp)
