from dataclasses import replace

import pytest
import torch
from torch import Generator

from pointaction.synthetic.noise import TrackerNoise, track_imperfectly
from pointaction.synthetic.scenes import ExactTracks

SILENT = TrackerNoise(jitter=0, drift=0, weak=0, sticking=0, slipping=0, fast=(1e3, 1e3))


def moving(visible: list[bool], *, start: int) -> ExactTracks:
    """One point that moves by 0.1 a frame, chosen in frame `start`."""
    frames = len(visible)
    xy = torch.stack([torch.arange(frames) * 0.1, torch.zeros(frames)], -1)[None, None]
    return ExactTracks(
        xy=xy,
        depth=torch.ones(1, 1, frames),
        visible=torch.tensor(visible)[None, None],
        frame=torch.tensor([[start]]),
        layer=torch.zeros(1, 1, dtype=torch.long),
    )


def test_without_noise_a_point_that_stays_visible_is_exact() -> None:
    exact = moving([True] * 5, start=2)
    seen = track_imperfectly(exact, SILENT, generator=Generator().manual_seed(0))
    torch.testing.assert_close(seen.xy, exact.xy)
    assert seen.visible.all()


def test_a_point_that_is_hidden_is_lost_from_there_on_and_stays_where_it_was() -> None:
    exact = moving([True, True, True, False, True], start=1)
    seen = track_imperfectly(exact, SILENT, generator=Generator().manual_seed(0))
    assert seen.visible[0, 0].tolist() == [True, True, True, False, False]
    torch.testing.assert_close(seen.xy[0, 0, :, 0], torch.tensor([0.0, 0.1, 0.2, 0.2, 0.2]))


def test_losing_goes_backward_in_time_too() -> None:
    exact = moving([True, False, True, True, True], start=3)
    seen = track_imperfectly(exact, SILENT, generator=Generator().manual_seed(0))
    assert seen.visible[0, 0].tolist() == [False, False, True, True, True]


def test_a_point_is_never_lost_where_it_was_chosen() -> None:
    noise = TrackerNoise(weak=1.0, weak_life=(1.0, 1.0), sticking=0)
    seen = track_imperfectly(
        moving([True] * 5, start=2), noise, generator=Generator().manual_seed(0)
    )
    assert seen.visible[0, 0, 2]


def drawing(speed: float, *, clips: int = 40) -> ExactTracks:
    """Clips of 50 visible points that move together at this speed per frame."""
    xy = 0.2 + torch.rand(clips, 50, 1, 2, generator=Generator().manual_seed(0)) * 0.2
    way = torch.arange(8)[:, None] * torch.tensor([speed, 0.0])
    return ExactTracks(
        xy=xy + way,
        depth=torch.ones(clips, 50, 8),
        visible=torch.ones(clips, 50, 8, dtype=torch.bool),
        frame=torch.zeros(clips, 50, dtype=torch.long),
        layer=torch.zeros(clips, 50, dtype=torch.long),
    )


def test_fast_points_are_lost_and_slow_ones_are_not() -> None:
    noise = replace(SILENT, fast=(0.1, 0.1))
    shares = [
        track_imperfectly(drawing(speed), noise, generator=Generator().manual_seed(0))
        .visible[:, :, 1]
        .float()
        .mean()
        for speed in (0.001, 0.1, 0.3)
    ]
    assert shares[0] > 0.99
    assert shares[1] == pytest.approx(0.37, abs=0.05)  # 63 % are lost at this speed
    assert shares[2] < 0.01


def test_some_hidden_points_are_believed_where_most_clips_lose_them() -> None:
    exact = drawing(0.0)
    exact.visible[:, :, 4:] = False
    noise = replace(SILENT, sticking=1.0, stuck_life=1e6)
    seen = track_imperfectly(exact, noise, generator=Generator().manual_seed(0)).visible[:, :, 4]
    inside = seen.float().mean(1)
    assert inside.min() < 0.2  # clips differ
    assert inside.max() > 0.8


def test_what_slips_goes_with_something_else() -> None:
    """Half of the points stand and half move on; a point that slips changes sides, or does not."""
    exact = drawing(0.0)
    exact.xy[:, ::2, :, 0] += torch.arange(8) * 0.02
    noise = replace(SILENT, slipping=1.0)
    seen = track_imperfectly(exact, noise, generator=Generator().manual_seed(0))
    off = (seen.xy - exact.xy).norm(dim=-1) > 1e-3
    assert 0.02 < off[:, :, -1].float().mean() < 0.4
    assert not off[:, :, 0].any()
    assert seen.visible.all()


def test_clips_tremble_differently() -> None:
    seen = track_imperfectly(
        drawing(0.0), replace(SILENT, jitter=0.001), generator=Generator().manual_seed(0)
    )
    spread = seen.xy.std(2).mean((1, 2))
    assert spread.max() > 3 * spread.min()
