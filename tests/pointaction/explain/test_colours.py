import numpy as np

from pointaction.explain.colours import heat


def test_more_weight_is_always_lighter() -> None:
    colours = heat(np.linspace(0, 1, 33)).astype(float) / 255
    luminance = (colours**2.2) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance) > 0).all()
    assert luminance[-1] > 5 * luminance[0]


def test_even_the_least_weight_shows_on_black() -> None:
    assert heat(np.array(0.0)).max() > 100


def test_any_shape_is_coloured_and_the_ends_hold() -> None:
    assert heat(np.zeros((2, 3))).shape == (2, 3, 3)
    np.testing.assert_array_equal(heat(np.array([-1.0, 2.0])), heat(np.array([0.0, 1.0])))
