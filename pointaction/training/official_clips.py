"""The clips of a published data set, in the splits that its owner made."""

from dataclasses import dataclass
from pathlib import Path

from pointaction.datasets.annotations import TEST, VALIDATION
from pointaction.datasets.layouts import LAYOUTS, cut_of
from pointaction.errors import InputError
from pointaction.training.clip_folder import LabelledClip


@dataclass(frozen=True, kw_only=True)
class OfficialClips:
    clips: list[LabelledClip]  # of training and validation that are on this disk
    listed: int  # how many there should be


def read_official(layout: str, lists: Path, videos: Path | None) -> OfficialClips:
    """Clips of one of LAYOUTS; `videos` None: where the owner's archives put them.

    Raises InputError where the lists cannot be read or none of their clips is there.
    """
    known = LAYOUTS[layout]
    place = lists / known.videos if videos is None else videos
    annotations = known.read(lists, place)
    clips = [
        LabelledClip(
            path=item.path,
            label=item.label,
            validation=item.split == VALIDATION,
            cut=cut_of(item, known.cut),
        )
        for item in annotations.present().items
        if item.split != TEST
    ]
    if not clips:
        raise InputError(f"none of the clips that {lists} lists is in {place}; give --videos")
    listed = sum(item.split != TEST for item in annotations.items)
    return OfficialClips(clips=clips, listed=listed)
