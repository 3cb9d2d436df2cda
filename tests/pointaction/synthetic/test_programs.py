import pytest
import torch
from torch import Generator

from pointaction.synthetic.programs import flipped, random_path, sample_programs
from pointaction.synthetic.score import Cast, Draw, Score


def programs(count: int = 64, seed: int = 0) -> Score:
    return sample_programs(count, Generator().manual_seed(seed))


def same(one: Score, other: Score) -> torch.Tensor:
    """(n,) whether two scores' rows are the same in everything."""
    equal = torch.ones(len(one), dtype=torch.bool)
    for name in Score.__dataclass_fields__:
        ours, theirs = getattr(one, name), getattr(other, name)
        equal &= (
            torch.isclose(ours.float(), theirs.float(), atol=1e-6).flatten(1).all(1)
            if ours.ndim > 1
            else ours == theirs
        )
    return equal


@pytest.mark.parametrize("count", [1, 7, 64])
def test_there_are_as_many_programs_as_asked_for(count: int) -> None:
    assert len(programs(count)) == count


def test_equal_seeds_give_equal_programs_and_others_do_not() -> None:
    assert same(programs(), programs()).all()
    assert not same(programs(), programs(seed=1)).any()


def test_no_two_programs_are_the_same() -> None:
    """For who learns to tell them apart would learn what nobody can."""
    score = programs(400)
    for by in (*range(1, 9), 51):  # beside siblings, and somewhere else
        assert not same(score, score.rows(torch.arange(400).roll(by))).any()


def test_a_sibling_is_often_the_same_in_reverse() -> None:
    score = programs(400)
    one, other = score.rows(torch.arange(0, 400, 2)), score.rows(torch.arange(1, 400, 2))
    assert 0.15 < same(one.reversed(), other).float().mean() < 0.6


@pytest.mark.parametrize("axis", [0, 1])
def test_mirroring_twice_changes_nothing(axis: int) -> None:
    score = programs()
    assert same(flipped(flipped(score, axis=axis), axis=axis), score).all()


def test_a_mirror_swaps_left_and_right_of_hands_and_things() -> None:
    score = programs()
    image = flipped(score, axis=0)
    loose = score.cast != Cast.FIGURE
    torch.testing.assert_close(image.hand[loose][..., 0], -score.hand[loose][..., 0])
    torch.testing.assert_close(image.hand[loose][..., 1:], score.hand[loose][..., 1:])
    torch.testing.assert_close(image.thing[..., 0], -score.thing[..., 0])


def test_paths_are_from_small_to_nearly_half_a_picture_across() -> None:
    path = random_path(Draw(count=200, generator=Generator().manual_seed(0)))[..., :2]
    span = (path.amax(1) - path.amin(1)).amax(-1)
    assert (span > 0.139).all()
    assert (span < 0.451).all()


def test_programs_are_of_all_kinds() -> None:
    score = programs(400)
    for cast in Cast:
        assert (score.cast == cast).any()
