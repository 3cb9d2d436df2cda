"""Whether a model's answer turns into its opposite when the clip does.

A clip is run backwards and mirrored left to right, each in two ways: on the frames, which are then
tracked anew from other points, and on the tracks as they are. Needs no labels: what is asked is
whether the answers fit each other.

Shapes:  N tracks   T frames
"""

import hashlib
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.count import Count
from pointaction.errors import InputError
from pointaction.evaluation.metrics import Accuracy
from pointaction.evaluation.report import Table
from pointaction.pipeline import Recogniser, track_clip
from pointaction.tracks import Tracks
from pointaction.video.container import SUFFIXES
from pointaction.video.decode import decode

Naming = Callable[[str], str | None]
"""What a motion is called in a view; None where it has no name there."""

BACKWARDS, MIRRORED = "backwards", "mirrored"


class View(NamedTuple):
    turn: str  # backwards or mirrored
    on: str  # frames, then tracked anew; or tracks

    def __str__(self) -> str:
        return f"{self.turn}, {self.on}"


VIEWS = tuple(View(turn, on) for turn in (BACKWARDS, MIRRORED) for on in ("frames", "tracks"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The best label for one clip, and for each view of it."""

    path: Path
    plain: str
    views: Mapping[View, str]


def clips_in(places: Sequence[Path]) -> list[Path]:
    """Clips, and all clips within folders, in order; InputError where there is none."""
    found: list[Path] = []
    for place in places:
        inside = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
        found += inside if place.is_dir() else [place]
    if not found:
        raise InputError(f"no clips in {', '.join(map(str, places))}; looked for {SUFFIXES}")
    return found


def answer_views(
    recogniser: Recogniser, paths: Sequence[Path], *, tracks: int, progress: Count
) -> list[Answers]:
    """Every clip and its four views, each with `tracks` points."""
    found = []
    for done, path in enumerate(paths, 1):
        clip = decode(path)
        followed = track_clip(clip, tracks=tracks)
        turned = (
            track_clip(backwards(clip), tracks=tracks),
            reverse_tracks(followed),
            track_clip(mirror(clip), tracks=tracks),
            mirror_tracks(followed),
        )
        labels = (best(recogniser, view) for view in turned)
        views = dict(zip(VIEWS, labels, strict=True))
        found.append(Answers(path=path, plain=best(recogniser, followed), views=views))
        progress(done, len(paths))
    return found


def best(recogniser: Recogniser, tracks: Tracks) -> str:
    """The label with the highest score."""
    return next(iter(recogniser.recognise(tracks).scores))


def within(vocabulary: Container[str], naming: Naming) -> Naming:
    """`naming` for a model that may also have labels of its own, which have no name in any view."""
    return lambda label: naming(label) if label in vocabulary else None


def tally(answers: Sequence[Answers], *, reversed_name: Naming, mirrored: Naming) -> Table:
    """Per view, how many answers fit those to the clips as they are.

    Labels with another name in the view should become it; labels that are their own opposite
    should stay; labels without a name in the view are asked nothing.
    """
    namings = {BACKWARDS: reversed_name, MIRRORED: mirrored}
    return Table(
        corner="view",
        columns=("became its opposite", "stayed, being its own"),
        rows={str(view): _fits(answers, view, namings[view.turn]) for view in VIEWS},
    )


def clip_by_clip(answers: Sequence[Answers]) -> Table:
    """What was answered to each clip and its views."""
    return Table(
        corner="clip",
        columns=("as it is", *map(str, VIEWS)),
        rows={
            f"{answer.path.parent.name}/{answer.path.name}": (
                answer.plain,
                *(answer.views[view] for view in VIEWS),
            )
            for answer in answers
        },
    )


def _fits(
    answers: Sequence[Answers], view: View, naming: Naming
) -> tuple[Accuracy | None, Accuracy | None]:
    """Of the labels with an opposite, and of those that are their own."""
    opposite: list[bool] = []
    same: list[bool] = []
    for answer in answers:
        expected = naming(answer.plain)
        if expected is not None:
            asked = same if expected == answer.plain else opposite
            asked.append(answer.views[view] == expected)
    return _share(opposite), _share(same)


def _share(fits: list[bool]) -> Accuracy | None:
    return Accuracy(right=sum(fits), total=len(fits)) if fits else None


def backwards(clip: Clip) -> Clip:
    """The clip from its last frame to its first; the steps between its times turn round too."""
    return _view(
        clip, clip.frames[::-1], clip.times[0] + clip.times[-1] - clip.times[::-1], BACKWARDS
    )


def mirror(clip: Clip) -> Clip:
    """The clip with left and right exchanged."""
    return _view(clip, clip.frames[:, :, ::-1], clip.times, MIRRORED)


def _view(clip: Clip, frames: NDArray[np.uint8], times: NDArray[np.float64], name: str) -> Clip:
    """A clip of its own, so that it is asked at other points than the one it is made from."""
    digest = hashlib.sha256(f"{clip.sha256} {name}".encode()).hexdigest()
    return replace(clip, frames=np.ascontiguousarray(frames), times=times, sha256=digest)


def reverse_tracks(tracks: Tracks) -> Tracks:
    """The same tracks with time running backwards."""
    query = tracks.query.copy()
    query[:, 0] = len(tracks.times) - 1 - query[:, 0]
    return replace(
        tracks,
        xy=tracks.xy[:, ::-1],
        visible=tracks.visible[:, ::-1],
        confidence=tracks.confidence[:, ::-1],
        depth=None if tracks.depth is None else tracks.depth[:, ::-1],
        query=query,
        times=tracks.times[0] + tracks.times[-1] - tracks.times[::-1],
    )


def mirror_tracks(tracks: Tracks) -> Tracks:
    """The same tracks with left and right exchanged."""
    last = tracks.size[1] - 1  # the centre of the rightmost pixel
    xy, query = tracks.xy.copy(), tracks.query.copy()
    xy[..., 0] = last - xy[..., 0]
    query[:, 1] = last - query[:, 1]
    return replace(tracks, xy=xy, query=query)
