"""The clips of a published data set, in the splits that its owner made."""

from dataclasses import dataclass, replace
from pathlib import Path

from pointaction.datasets.annotations import TEST, TRAIN, VALIDATION
from pointaction.extraction.layout import look_up
from pointaction.extraction.layouts import LAYOUTS
from pointaction.training.clip_folder import LabelledClip


@dataclass(frozen=True, kw_only=True)
class OfficialClips:
    clips: list[LabelledClip]  # of training and validation that are on this disk
    absent: int  # that are listed for either, and are not


def read_official(layout: str, root: Path, videos: Path | None) -> OfficialClips:
    """Clips of one of LAYOUTS; `videos` None: where the owner's archives put them.

    Where the owner keeps none for validation, those for testing are kept; where nothing is divided,
    nothing is decided. Raises InputError where the lists cannot be read or none of their clips is
    there.
    """
    found = look_up(layout, LAYOUTS[layout], root, videos=videos)
    splits = {clip.about.get("split") for clip in (*found.wanted, *found.missing)}
    held = VALIDATION if VALIDATION in splits else TEST
    clips = [
        LabelledClip(
            path=clip.path,
            label=str(clip.label),
            validation=None if split is None else split == held,
            cut=replace(found.cut, start=clip.cut.start, end=clip.cut.end),
        )
        for clip in found.wanted
        if (split := clip.about.get("split")) in (None, TRAIN, held)
    ]
    absent = sum(clip.about.get("split") in (None, TRAIN, held) for clip in found.missing)
    return OfficialClips(clips=clips, absent=absent)
