"""What every matcher promises, and what each one sees that others do not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from pointaction.errors import InputError
from pointaction.fewshot.features import Features, stacked
from pointaction.fewshot.linear_probe import LinearProbe
from pointaction.fewshot.matcher import Fitted, Matcher
from pointaction.fewshot.matchers import MATCHERS, open_matcher, trained_matcher
from pointaction.fewshot.otam import OTAM, alignment_cost
from pointaction.fewshot.prototypes import NearestPrototype, similarities
from pointaction.fewshot.sets import SetMatching, mean_hausdorff
from pointaction.fewshot.support_set import SupportSet
from pointaction.fewshot.tuples import EnrichedMatching, TupleMatching
from pointaction.models.strm import STRM, STRMConfig
from pointaction.models.trokens import Trokens, TrokensConfig
from pointaction.models.trx import TRX, TRXConfig

MOMENTS, WIDTH = 4, 6
LABELS = torch.tensor([1, 0, 2, 1, 0])


def trained() -> dict[str, Matcher]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trx = TRX(TRXConfig(frames=MOMENTS, width=WIDTH, projection=8))
        strm = STRM(
            STRMConfig(
                frames=MOMENTS,
                width=WIDTH,
                projection=8,
                patches=2,
                bottleneck=4,
                query_class_width=4,
            )
        )
        trokens = Trokens(
            TrokensConfig(frames=MOMENTS, appearance=None, anchors=2, width=48, heads=2, classes=3)
        )
    heads = {"trained trx": trx, "strm": strm, "trokens": trokens}
    return {
        name: trained_matcher(head.eval().requires_grad_(False)) for name, head in heads.items()
    }


ALL: dict[str, Matcher] = {name: open_matcher(name) for name in MATCHERS} | trained()
ALIGNING = sorted(ALL.keys() - {"prototype", "linear-probe"})


def clips(count: int, seed: int, patches: Tensor | None = None) -> tuple[Features, ...]:
    """Clips of chance."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(count, MOMENTS, 4, WIDTH, generator=generator)
    return tuple(
        Features(
            clip=each.mean((0, 1)),
            frames=each.mean(1),
            points=each[:, 0],
            patches=each,
            motion=torch.cat([each[..., :2].transpose(0, 1), torch.ones(4, MOMENTS, 1)], -1),
        )
        for each in maps
    )


def fit(matcher: Matcher) -> Fitted:
    return matcher.fit(SupportSet(clips(5, seed=0), LABELS))


@pytest.mark.parametrize("name", ALL)
def test_an_example_belongs_to_its_class(name: str) -> None:
    scores = fit(ALL[name]).scores(clips(5, seed=0))
    assert scores.shape == (5, 3)
    assert scores.argmax(-1).tolist() == LABELS.tolist()


@pytest.mark.parametrize("name", ALL)
def test_a_query_is_scored_by_itself(name: str) -> None:
    fitted, queries = fit(ALL[name]), clips(3, seed=1)
    torch.testing.assert_close(
        fitted.scores(queries)[1:2], fitted.scores(queries[1:2]), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_examples_does_not_matter(name: str) -> None:
    support, queries, shuffle = clips(5, seed=0), clips(3, seed=1), torch.tensor([3, 0, 4, 2, 1])
    shuffled = SupportSet(tuple(support[each] for each in shuffle.tolist()), LABELS[shuffle])
    torch.testing.assert_close(
        ALL[name].fit(shuffled).scores(queries),
        fit(ALL[name]).scores(queries),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("name", ALIGNING)
def test_an_example_matches_itself_moment_by_moment(name: str) -> None:
    for number, example in enumerate(clips(5, seed=0)):
        matches = fit(ALL[name]).matches(example, int(LABELS[number]))
        assert matches
        for match in matches:
            assert LABELS[match.example] == LABELS[number]
            assert len(match.query) == len(match.moments)
            assert 0 < match.weight <= 1
        if name not in ("trained trx", "strm"):  # chance finds what it likes
            assert all(match.example == number for match in matches)
            assert all(match.query == match.moments for match in matches)


@pytest.mark.parametrize("name", ["prototype", "linear-probe"])
def test_what_sees_a_clip_as_a_whole_matches_no_moments(name: str) -> None:
    assert fit(ALL[name]).matches(clips(1, seed=0)[0], 0) == []


def story(*moments: int) -> Features:
    """A clip in which one thing happens after the other."""
    return Features(clip=torch.ones(WIDTH), frames=torch.eye(WIDTH)[list(moments)])


OPEN, CLOSE = story(0, 1, 2, 3), story(3, 2, 1, 0)


@pytest.mark.parametrize("matcher", [OTAM(), TupleMatching()])
def test_order_tells_opening_from_closing(matcher: Matcher) -> None:
    scores = matcher.fit(SupportSet((OPEN, CLOSE), torch.tensor([0, 1]))).scores([OPEN, CLOSE])
    assert scores.argmax(-1).tolist() == [0, 1]


def test_sets_have_no_order() -> None:
    scores = SetMatching().fit(SupportSet((OPEN, CLOSE), torch.tensor([0, 1]))).scores([OPEN])
    assert scores.tolist() == [[0, 0]]


def test_otam_finds_what_begins_late() -> None:
    late = story(5, 0, 1, 2)
    fitted = OTAM().fit(SupportSet((OPEN, CLOSE), torch.tensor([0, 1])))
    assert fitted.scores([late]).argmax(-1).tolist() == [0]
    found = {match.query[0]: match.moments[0] for match in fitted.matches(late, 0)}
    assert {moment: found[moment] for moment in (1, 2, 3)} == {1: 0, 2: 1, 3: 2}


def test_the_cheapest_way_is_free_outside_and_smooth_inside() -> None:
    # The first two rows may be left out; then the way goes down the diagonal.
    distances = torch.tensor([[9.0, 9.0], [9.0, 9.0], [1.0, 9.0], [9.0, 2.0]])
    cost = alignment_cost(distances, smoothing=1e-3)
    assert cost.item() == pytest.approx(3, abs=1e-2)
    assert alignment_cost(distances, smoothing=0.5).item() < cost.item()
    # One row must go through all columns.
    assert alignment_cost(torch.tensor([[1.0, 2.0, 4.0]])).item() == 7


def test_alignment_is_that_of_all_ways_written_out() -> None:
    # One column between the two free ones. From the first row, a, a way may leave at once or wait
    # a row, or go on to b; or it comes to b from before the first column, early or late.
    a, b, smoothing = 0.3, 0.5, 0.1
    costs = torch.tensor([a, a, a + b, b, b])
    expected = -smoothing * torch.logsumexp(-costs / smoothing, 0)
    ours = alignment_cost(torch.tensor([[a], [b]]), smoothing=smoothing)
    torch.testing.assert_close(ours, expected)


def test_hausdorff_asks_both_sets() -> None:
    assert mean_hausdorff(torch.tensor([[0.0, 2.0], [1.0, 4.0]])).item() == 0.5 + 1


def test_prototypes_are_those_of_equal_shots() -> None:
    support, queries = clips(4, seed=0), clips(2, seed=1)
    fitted = NearestPrototype().fit(SupportSet(support, torch.tensor([0, 0, 1, 1])))
    together = stacked(support, "clip").unflatten(0, (2, 2))
    expected = similarities(together, stacked(queries, "clip"))
    torch.testing.assert_close(fitted.scores(queries), expected)


def test_the_probe_has_no_favourite_among_unequal_classes() -> None:
    """Nine examples here, one there; what lies in the middle is as much of the one as the other."""
    directions = torch.eye(2)[[0] * 9 + [1]]
    support = tuple(Features(clip=each) for each in directions)
    fitted = LinearProbe().fit(SupportSet(support, torch.tensor([0] * 9 + [1])))
    scores = fitted.scores([Features(clip=torch.ones(2))])[0]
    torch.testing.assert_close(scores, torch.full((2,), 0.5))


def test_the_probe_is_ridge_regression() -> None:
    support = clips(6, seed=2)
    fitted = LinearProbe(ridge=0.3).fit(SupportSet(support, torch.tensor([0, 1, 2] * 2)))
    x = torch.nn.functional.normalize(stacked(support, "clip"), dim=-1)
    x = x - x.mean(0)
    wanted = torch.eye(3).repeat(2, 1) - 1 / 3
    # Two examples a class count half each: so the ridge is twice as heavy.
    primal = torch.linalg.solve(x.T @ x + 2 * 0.3 * torch.eye(WIDTH), x.T @ wanted)
    torch.testing.assert_close(fitted.weights, primal)


def test_labels_leave_no_gap_and_there_are_as_many_as_examples() -> None:
    with pytest.raises(InputError, match=r"without a gap, got \[0, 2\]"):
        SupportSet(clips(2, seed=0), torch.tensor([0, 2]))
    with pytest.raises(InputError, match="got 2 examples"):
        SupportSet(clips(2, seed=0), torch.tensor([0, 1, 1]))


@pytest.mark.parametrize("matcher", [OTAM(), SetMatching(), TupleMatching(), ALL["strm"]])
def test_a_missing_part_is_named(matcher: Matcher) -> None:
    support = SupportSet((Features(clip=torch.ones(3)),), torch.tensor([0]))
    with pytest.raises(InputError, match="which 1 of 1 clips lack"):
        matcher.fit(support)


def others(frames: int) -> Sequence[Features]:
    return [Features(clip=torch.ones(WIDTH), frames=torch.randn(frames, WIDTH))]


def test_a_head_refuses_other_features_than_its_own() -> None:
    with pytest.raises(InputError, match="4 moments of width 6, but the examples have 5"):
        ALL["trained trx"].fit(SupportSet(tuple(others(5)), torch.tensor([0])))
    with pytest.raises(InputError, match="have no tuples of 3"):
        TupleMatching().fit(SupportSet(tuple(others(2)), torch.tensor([0])))
    with pytest.raises(InputError, match="have shapes"):
        OTAM().fit(SupportSet((*others(2), *others(3)), torch.tensor([0, 1])))


def test_features_can_be_kept() -> None:
    (one,) = clips(1, seed=0)
    again = Features.from_bytes(replace(one, points=None).to_bytes())
    assert again.points is None
    assert again.patches is not None
    assert one.patches is not None
    assert again.patches.equal(one.patches)
    with pytest.raises(InputError, match="no features"):
        Features.from_bytes(b"something else")
    with pytest.raises(InputError, match="no features"):
        Features.from_bytes(save({"pixels": torch.zeros(1)}))


def test_unknown_matchers_and_heads_are_refused() -> None:
    with pytest.raises(InputError, match="is not one of: prototype"):
        open_matcher("nearest")
    with pytest.raises(InputError, match="Linear is no head"):
        trained_matcher(torch.nn.Linear(1, 1))


def test_a_trained_head_opens_as_its_matcher() -> None:
    assert isinstance(ALL["trained trx"], TupleMatching)
    assert isinstance(ALL["strm"], EnrichedMatching)
