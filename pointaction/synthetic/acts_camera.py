"""A camera that moves before a scene that does not.

Shapes:  n performances   S samples; see `pointaction.synthetic.score`

A camera that pans left turns to its own left, so that the picture moves right. Its profiles pass
through zero half-way, where it looks at the middle of the stage.
"""

from functools import partial

from pointaction.synthetic.acts import Act, Action, oscillation
from pointaction.synthetic.score import Cast, Draw, Score

AXIS = {name: axis for axis, name in enumerate(("x", "y", "z", "pan", "tilt", "roll", "zoom"))}


def _scenery(draw: Draw) -> Score:
    """Up to two things stand about."""
    score = Score.at_rest(draw, Cast.NOBODY)
    score.things[:] = draw.uniform(0, 1, 2) < 0.6
    score.thing[:] = draw.uniform(-0.25, 0.25, 2, 1, 3)
    score.upright[:] = True
    return score


def moving(axis: str, sign: float, low: float, high: float) -> Act:
    """By `low` to `high` radians, stage units, or logarithms of the zoom."""

    def act(draw: Draw) -> Score:
        score = _scenery(draw)
        score.camera[..., AXIS[axis]] = sign * draw.column(low, high) * (draw.time - 0.5)
        return score

    return act


def orbiting(sign: float) -> Act:
    """Round the middle of the stage, one unit away, which stays in the picture's middle."""

    def act(draw: Draw) -> Score:
        score = _scenery(draw)
        angle = sign * draw.column(0.45, 1.0) * (draw.time - 0.5)
        score.camera[..., AXIS["x"]] = angle.sin()
        score.camera[..., AXIS["z"]] = 1 - angle.cos()
        score.camera[..., AXIS["pan"]] = -angle
        return score

    return act


def shaking(draw: Draw) -> Score:
    """Each axis at its own pace."""
    score = _scenery(draw)
    for axis, strength in (("pan", 0.03), ("tilt", 0.03), ("roll", 0.02)):
        score.camera[..., AXIS[axis]] = (
            draw.column(0.5, 1.5) * strength * oscillation(draw, 4.0, 7.0)
        )
    return score


_named = partial(Action, group="camera")


def _camera(act: Act, does: str, reverse: str) -> Action:
    return _named(act, says=f"The camera {does}.", reverse=f"camera {reverse}")


CAMERA: dict[str, Action] = {
    f"camera {name}": _camera(act, does, reverse)
    for name, act, does, reverse in (
        ("panning left", moving("pan", -1, 0.2, 0.5), "turns to its left", "panning right"),
        ("panning right", moving("pan", 1, 0.2, 0.5), "turns to its right", "panning left"),
        ("tilting up", moving("tilt", 1, 0.15, 0.4), "turns upwards", "tilting down"),
        ("tilting down", moving("tilt", -1, 0.15, 0.4), "turns downwards", "tilting up"),
        (
            "rolling clockwise",
            moving("roll", 1, 0.3, 1.2),
            "turns clockwise about the way it looks, so that the picture turns against it",
            "rolling anticlockwise",
        ),
        (
            "rolling anticlockwise",
            moving("roll", -1, 0.3, 1.2),
            "turns anticlockwise about the way it looks, so that the picture turns against it",
            "rolling clockwise",
        ),
        (
            "zooming in",
            moving("zoom", 1, 0.3, 0.8),
            "narrows its view: all grows alike, near or far",
            "zooming out",
        ),
        (
            "zooming out",
            moving("zoom", -1, 0.3, 0.8),
            "widens its view: all shrinks alike, near or far",
            "zooming in",
        ),
        (
            "travelling forwards",
            moving("z", 1, 0.3, 0.6),
            "goes into the scene: what is near grows faster than what is far",
            "travelling backwards",
        ),
        (
            "travelling backwards",
            moving("z", -1, 0.3, 0.6),
            "backs out of the scene: what is near shrinks faster than what is far",
            "travelling forwards",
        ),
        (
            "travelling left",
            moving("x", -1, 0.25, 0.6),
            "goes sideways to its left without turning: what is near moves faster",
            "travelling right",
        ),
        (
            "travelling right",
            moving("x", 1, 0.25, 0.6),
            "goes sideways to its right without turning: what is near moves faster",
            "travelling left",
        ),
        (
            "rising",
            moving("y", -1, 0.2, 0.5),
            "goes up without turning: what is near moves faster",
            "sinking",
        ),
        (
            "sinking",
            moving("y", 1, 0.2, 0.5),
            "goes down without turning: what is near moves faster",
            "rising",
        ),
        (
            "orbiting left",
            orbiting(-1),
            "goes round the scene to its left and keeps looking at its middle",
            "orbiting right",
        ),
        (
            "orbiting right",
            orbiting(1),
            "goes round the scene to its right and keeps looking at its middle",
            "orbiting left",
        ),
        ("shaking", shaking, "trembles strongly and does not go anywhere", "shaking"),
    )
}
