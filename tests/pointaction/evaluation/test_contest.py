import pytest
import torch
from torch import Generator, Tensor

from pointaction.evaluation.contest import Gain, by_matcher, hold, own_way
from pointaction.evaluation.fewshot import Trial
from pointaction.fewshot.features import Features
from pointaction.fewshot.matchers import MATCHERS
from pointaction.fewshot.prototypes import NearestPrototype
from pointaction.models.strm import STRM, STRMConfig
from pointaction.models.traction import TrackEncoder, TrActionConfig
from pointaction.models.trokens import Trokens, TrokensConfig

SIX = torch.arange(6).repeat_interleave(4)  # six classes of four clips
SUPPORT, QUERY = torch.tensor([[0, 1], [4, 5]]), torch.tensor([2, 6, 7])  # of classes 0 and 1


def clips(seed: int = 0) -> list[Features]:
    """Moments that all clips of a class share but for a little noise."""
    generator = Generator().manual_seed(seed)
    classes = torch.randn(6, 4, 8, generator=generator)[SIX]
    frames = classes + 0.1 * torch.randn(24, 4, 8, generator=generator)
    return [Features(clip=each.mean(0), frames=each, patches=each[:, None]) for each in frames]


def uncounted(done: int, total: int) -> None:
    pass


@pytest.mark.parametrize("name", MATCHERS)
def test_every_matcher_can_contend(name: str) -> None:
    scores = by_matcher(MATCHERS[name](), clips())(SUPPORT, QUERY)
    assert scores.argmax(-1).tolist() == [0, 1, 1]


def test_a_network_contends_as_it_is_trained() -> None:
    trokens = Trokens(TrokensConfig(appearance=None, width=8, classes=2, points=4))
    strm = STRM(STRMConfig(frames=4, width=8, patches=1, projection=4, bottleneck=4)).eval()
    traction = TrackEncoder(TrActionConfig(width=8, layers=1, heads=2))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for network in (trokens, strm, traction):
            assert own_way(network, clips())(SUPPORT, QUERY).argmax(-1).tolist() == [0, 1, 1]


def test_trokens_averages_the_examples_of_a_class() -> None:
    """The mean of two clips is a query's own likeness, though neither of them is."""
    one, other = torch.eye(2)[0], torch.eye(2)[1]
    shown = [one, other, one, one, one + other]
    told = [Features(frames=each.expand(3, 2)) for each in shown]
    trokens = Trokens(TrokensConfig(appearance=None, width=8, classes=2, points=4))
    scores = own_way(trokens, told)(torch.tensor([[2, 3], [0, 1]]), torch.tensor([4]))
    assert scores[0, 1] == pytest.approx(0, abs=1e-5)
    assert scores[0, 0] < -1


def test_all_are_asked_the_same_and_the_better_gains() -> None:
    def always_wrong(support: Tensor, query: Tensor) -> Tensor:
        return -right(support, query)

    right = by_matcher(NearestPrototype(), clips())
    trial = Trial(ways=2, queries=1, episodes=20)
    contest = hold(
        SIX,
        {"right": right, "wrong": always_wrong},
        trial,
        shots=(1, 2),
        progress=uncounted,
    )
    table = contest.table()
    assert table.columns == ("2-way 1-shot", "2-way 2-shot")
    assert [str(cell) for cell in table.rows["right"]] == ["100.0% ± 0.0%"] * 2
    gains = contest.gains({"sense": ("right", "wrong"), "none": ("wrong", "wrong")})
    assert gains.rows["sense"] == (Gain(mean=1.0, half_width=0.0),) * 2
    assert str(gains.rows["none"][0]) == "+0.0 ± 0.0"


def test_a_gain_is_surer_than_the_accuracies_it_is_the_difference_of() -> None:
    """Two who fail in the same episodes differ by nothing, however hard these are."""
    noise = [Features(clip=torch.randn(4, generator=Generator().manual_seed(n))) for n in range(24)]
    guesses = by_matcher(NearestPrototype(), noise)
    trial = Trial(queries=1, episodes=50)
    contest = hold(SIX, {"a": guesses, "b": guesses}, trial, shots=(1,), progress=uncounted)
    assert contest.table().rows["a"][0].half_width > 0.02
    assert contest.gains({"a": ("a", "b")}).rows["a"] == (Gain(mean=0.0, half_width=0.0),)
