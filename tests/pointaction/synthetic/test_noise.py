import torch
from torch import Generator

from pointaction.synthetic.noise import TrackerNoise, track_imperfectly
from pointaction.synthetic.scenes import ExactTracks

SILENT = TrackerNoise(jitter=0, drift=0, weak=0, sticking=0)


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
