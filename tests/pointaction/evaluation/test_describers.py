import pytest
import torch
from torch import Generator

from pointaction.errors import InputError
from pointaction.evaluation.describers import (
    CLOCK,
    BySTRM,
    ByTrAction,
    ByTrokens,
    describe_all,
    describer_for,
)
from pointaction.evaluation.performances import Inputs
from pointaction.fewshot.features import stacked
from pointaction.fewshot.track_features import MOMENTS, PATCH_WIDTH
from pointaction.models.strm import STRM, STRMConfig
from pointaction.models.traction import TrackEncoder, TrActionConfig
from pointaction.models.trokens import Trokens, TrokensConfig


def clips(count: int) -> Inputs:
    """Twelve tracks that wander."""
    steps = torch.randn(count, 12, CLOCK, 3, generator=Generator().manual_seed(0)) / 100
    return Inputs(
        geometry=0.5 + steps.cumsum(2), visible=torch.ones(count, 12, CLOCK, dtype=torch.bool)
    )


def networks() -> tuple[TrackEncoder, Trokens, STRM]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return (
            TrackEncoder(TrActionConfig(width=12, layers=1, heads=2)).eval(),
            Trokens(TrokensConfig(appearance=None, anchors=4, width=16, classes=2)).eval(),
            STRM(STRMConfig(inputs=PATCH_WIDTH, width=16, projection=8, bottleneck=8)).eval(),
        )


def test_each_network_is_described_by_in_its_way() -> None:
    traction, trokens, strm = networks()
    assert describer_for(traction) == ByTrAction(traction)
    assert describer_for(trokens) == ByTrokens(trokens)
    assert describer_for(strm) == BySTRM(strm)


def test_what_needs_pictures_or_another_clock_is_refused() -> None:
    for network in (
        TrackEncoder(TrActionConfig(frames=16, width=12, layers=1, heads=2)),
        Trokens(TrokensConfig(width=16, classes=2)),
        STRM(STRMConfig(width=16, projection=8, bottleneck=8)),
    ):
        with pytest.raises(
            InputError, match="does not describe clips from 32 frames of tracks alone"
        ):
            describer_for(network)


@pytest.mark.parametrize("number", range(3))
def test_a_clip_is_told_the_same_alone_and_among_others(number: int) -> None:
    everyone = list(map(describer_for, networks()))
    both = clips(2)
    with torch.inference_mode():
        together = everyone[number].describe(both, ("clip", "frames"))
        alone = [
            everyone[number].describe(
                Inputs(geometry=both.geometry[rows], visible=both.visible[rows]), ("clip", "frames")
            )[0]
            for rows in (slice(0, 1), slice(1, 2))
        ]
    assert len(together) == 2
    for part in ("clip", "frames"):
        torch.testing.assert_close(stacked(together, part), stacked(alone, part))
    assert stacked(together, "frames").shape[1] == MOMENTS


def test_everyone_describes_every_clip_and_is_counted() -> None:
    traction, trokens, _ = networks()
    counted: list[tuple[int, int]] = []
    told = describe_all(
        [clips(2), clips(1)],
        {"one": ByTrAction(traction), "other": ByTrokens(trokens)},
        parts={"clip"},
        total=3,
        progress=lambda done, total: counted.append((done, total)),
    )
    assert {name: len(features) for name, features in told.items()} == {"one": 3, "other": 3}
    assert told["one"][0].frames is None  # nobody asked
    assert counted == [(2, 3), (3, 3)]
