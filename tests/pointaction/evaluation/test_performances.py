import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pointaction.errors import InputError
from pointaction.evaluation.performances import (
    EXACT,
    FRAMES,
    PIXELS,
    UNNAMED,
    Inputs,
    Programme,
    Seen,
    Sight,
    common_labels,
    performers,
    see,
    watch,
)
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.pipeline import Recogniser
from pointaction.synthetic.noise import TrackerNoise
from pointaction.synthetic.vocabulary import LABELS

LEFT, RIGHT = LABELS.index("moving left"), LABELS.index("moving right")
FEW = Sight(points=48)


def watched(programme: Programme, sight: Sight = FEW, *, clock: int = FRAMES) -> Inputs:
    parts = list(watch(programme, sight, clock=clock))
    return Inputs(
        geometry=torch.cat([part.geometry for part in parts]),
        visible=torch.cat([part.visible for part in parts]),
    )


def motions(*labels: int, seed: int = 0) -> Programme:
    return Programme(labels=torch.tensor(labels), seed=seed)


def test_a_programme_is_always_the_same_and_another_seed_is_another() -> None:
    first, again = watched(motions(LEFT)), watched(motions(LEFT))
    assert torch.equal(first.geometry, again.geometry)
    assert not torch.equal(first.geometry, watched(motions(LEFT, seed=1)).geometry)


def test_clips_come_in_order_whatever_the_number_of_chunks() -> None:
    inputs = watched(motions(*[LEFT, RIGHT] * 9))  # 18 clips, 16 to a chunk
    assert inputs.geometry.shape == (18, 48, FRAMES, 3)
    assert inputs.visible.shape == (18, 48, FRAMES)


def test_fewer_frames_begin_and_end_where_all_frames_do() -> None:
    full, few = watched(motions(LEFT)), watched(motions(LEFT), Sight(points=48, frames=4))
    for edge in (0, -1):
        torch.testing.assert_close(few.geometry[:, :, edge, :2], full.geometry[:, :, edge, :2])
    # Between the four they go straight: the second difference of most steps is nothing.
    bend = few.geometry[..., :2].diff(n=2, dim=2).abs().amax((0, 1, 3))
    assert (bend > 1e-5).sum() <= 4


def test_a_model_has_its_own_clock() -> None:
    assert watched(motions(LEFT), clock=20).geometry.shape == (1, 48, 20, 3)


def test_noise_disturbs_the_same_performance() -> None:
    exact = watched(motions(LEFT))
    quiet = TrackerNoise(jitter=0, drift=0, weak=0, sticking=0, slipping=0, fast=(9.0, 9.1))
    still = watched(motions(LEFT), Sight(points=48, noise=quiet))
    shown = exact.visible & still.visible
    torch.testing.assert_close(still.geometry[shown][:, :2], exact.geometry[shown][:, :2])
    loud = watched(motions(LEFT), Sight(points=48, noise=TrackerNoise(jitter=0.1)))
    assert not torch.allclose(loud.geometry, still.geometry, atol=0.01)


def test_who_shares_an_identity_shares_the_room() -> None:
    shared = Programme(labels=torch.tensor([LEFT, RIGHT, LEFT]), identity=torch.tensor([4, 4, 7]))
    scenes, _ = shared.stage(0)
    assert torch.equal(scenes.looks[0], scenes.looks[1])
    assert not torch.equal(scenes.looks[0], scenes.looks[2])
    assert list(shared.chunks) == [0]


def test_from_pixels_it_is_the_same_motion() -> None:
    drawn = watched(motions(LEFT), Sight(points=128, side=160))
    assert drawn.geometry.shape == (1, 128, FRAMES, 3)
    way = (drawn.geometry[..., -1, 0] - drawn.geometry[..., 0, 0])[drawn.visible.all(-1)]
    exact = watched(motions(LEFT), Sight(points=128))
    exact_way = (exact.geometry[..., -1, 0] - exact.geometry[..., 0, 0])[exact.visible.all(-1)]
    assert way.median().item() == pytest.approx(exact_way.median().item(), abs=0.05)
    assert PIXELS.side is not None
    assert EXACT.side is None


def test_a_pool_sees_what_one_sees_alone() -> None:
    programme = motions(*[LEFT, RIGHT] * 9)
    alone = watched(programme)
    with ThreadPoolExecutor(2) as pool:
        shared = list(watch(programme, FEW, clock=FRAMES, pool=pool))
    assert torch.equal(torch.cat([part.geometry for part in shared]), alone.geometry)
    assert torch.equal(torch.cat([part.visible for part in shared]), alone.visible)


def test_what_is_asked_of_other_processes_can_be_sent_to_them() -> None:
    programme = motions(LEFT, RIGHT)
    sent = pickle.loads(pickle.dumps((programme, FEW)))
    assert torch.equal(watched(*sent).geometry, watched(programme).geometry)


def test_one_performer_needs_no_processes() -> None:
    with performers(1) as pool:
        assert pool is None


def test_a_model_sees_a_programme_under_its_own_labels() -> None:
    recogniser = Recogniser.load(DEFAULT_STORE, "traction-tiny")
    counts: list[tuple[int, int]] = []
    seen = see(
        recogniser,
        motions(LEFT, RIGHT),
        FEW,
        progress=lambda done, total: counts.append((done, total)),
    )
    names = [recogniser.entry.labels[number] for number in seen.labels.tolist()]
    assert names == ["moving left", "moving right"]
    assert seen.logits.shape == (2, len(recogniser.entry.labels))
    assert counts == [(2, 2)]


def test_what_has_no_name_is_seen_without_a_label() -> None:
    recogniser = Recogniser.load(DEFAULT_STORE, "traction-tiny")
    unnamed = Programme.unnamed(3, seed=0)
    seen = see(recogniser, unnamed, FEW, progress=lambda done, total: None)
    assert seen.labels.tolist() == [UNNAMED] * 3


def test_some_of_the_clips_keep_what_belongs_together() -> None:
    number = torch.arange(4)
    seen = Seen(logits=number[:, None].float(), cls=-number[:, None].float(), labels=number % 3)
    few = seen.among((0, 2))
    assert few.labels.tolist() == [0, 2, 0]
    assert few.logits[:, 0].tolist() == [0, 2, 3]
    assert few.cls[:, 0].tolist() == [0, -2, -3]
    assert len(few) == 3


def test_a_model_of_other_things_is_refused() -> None:
    assert common_labels(("moving left", "juggling")).tolist() == [LEFT]
    with pytest.raises(InputError, match="knows none"):
        common_labels(("juggling",))
