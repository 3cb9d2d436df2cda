"""Real clips with their tracks, followed once and kept for everything that is compared on them."""

from dataclasses import dataclass
from pathlib import Path

from pointaction.count import Count
from pointaction.errors import InputError
from pointaction.pipeline import track_clip
from pointaction.tracks import Tracks
from pointaction.version import TRACKER_VERSION
from pointaction.video.container import SUFFIXES
from pointaction.video.cut import WHOLE, Cut, decode_cut, file_digest
from pointaction.whole import written_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One clip of a labelled folder."""

    tracks: Tracks  # with depth
    label: str
    path: Path


def follow_folder(
    folder: Path, *, tracks: int, cache: Path | None, progress: Count
) -> list[Followed]:
    """Every clip of folder/<label>/, in order; InputError for a folder that is laid out otherwise.

    `cache` is a folder of `.tracks.npz`; what is in it already is not tracked again.
    """
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES)
    if len({path.parent for path in paths}) < 2:
        raise InputError(f"{folder} needs two folders or more, one per label, with clips in them")
    followed = []
    for done, path in enumerate(paths, 1):
        seen = follow_file(path, tracks=tracks, cache=cache)
        followed.append(Followed(tracks=seen, label=path.parent.name, path=path))
        progress(done, len(paths))
    return followed


def follow_file(path: Path, *, tracks: int, cache: Path | None, cut: Cut = WHOLE) -> Tracks:
    """Decode and track one clip, or take its tracks out of `cache`.

    The key is all that the tracks depend on: the file's bytes, which of its frames are looked at,
    how many tracks, and the tracker.
    """
    digest = file_digest(path)
    if cache is None:
        return track_clip(decode_cut(path, cut, sha256=digest), tracks=tracks)
    kept = cache / f"{digest[:32]}{cut}-{tracks}-{TRACKER_VERSION}.tracks.npz"
    if kept.exists():
        return Tracks.load(kept)
    followed = track_clip(decode_cut(path, cut, sha256=digest), tracks=tracks)
    cache.mkdir(parents=True, exist_ok=True)
    with written_whole(kept) as part:  # a run that is stopped leaves no half a file behind
        followed.save(part)
    return followed
