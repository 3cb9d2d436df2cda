"""The Invariant Action Recognition Dataset (doi:10.7910/DVN/DMT0PG): who does what, seen whence.

A folder of archives, each unpacked to a folder of clips; the clip's name tells all there is:

drink1/drink_haim_0_90_2_0.avi      action, actor, background, view, variant, first frame

Five actors do five actions. The archives `still` and `plw` (point lights) hold no action clips
of actors and are left out. There is no official split: one actor, or one action, is held out.

The pattern of the names was taken from programs that read the data set, not from the owner's own
description, so that only the first two parts, on which they agree, are relied on.
"""

from pathlib import Path

from pointaction.datasets.annotations import Annotations, Item
from pointaction.errors import InputError

ACTIONS = ("drink", "eat", "jump", "run", "walk")
_SUFFIXES = (".avi", ".mp4")


def read_iard(videos: Path) -> Annotations:
    """Every clip of an action below the folder `videos`: its label the action, its group the actor.

    Raises InputError when there is none.
    """
    items = tuple(
        Item(
            path=path,
            label=action,
            split=None,
            group=actor,
            name=path.relative_to(videos).with_suffix("").as_posix(),
        )
        for path in sorted(videos.rglob("*"))
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith("._")
        for action, actor in [_action_and_actor(path.stem)]
        if action in ACTIONS
    )
    if not items:
        raise InputError(f"{videos} holds no clip called like drink_actor_0_90_2_0.avi")
    return Annotations(items=items, labels=ACTIONS)


def _action_and_actor(stem: str) -> tuple[str, str]:
    action, _, rest = stem.partition("_")
    return action.lower(), rest.partition("_")[0].lower()
