from pathlib import Path

import torch

from pointaction.evaluation.mixed import PICTURES, Mixed, watch_mixed
from pointaction.synthetic.vocabulary import LABELS

TWO = ("moving left", "moving right")


def test_a_label_is_a_motion_by_an_identity() -> None:
    """Every motion by every identity, as often as any other, in every part."""
    mixed = Mixed(identities=3, taught=2, fused=1, tested=1)
    assert mixed.classes == 10 * 3
    for part, times in zip(mixed.parts, (2, 1, 1), strict=True):
        assert mixed.labels[part].bincount().tolist() == [times] * 30
        pairs = torch.stack([mixed.motion[part], mixed.identity[part]], 1)
        assert len(pairs.unique(dim=0)) == 30
    assert torch.equal(mixed.labels, mixed.motion * 3 + mixed.identity)
    assert sum(len(mixed.labels[part]) for part in mixed.parts) == len(mixed.labels)


def test_clips_of_an_identity_share_their_looks_and_perform_what_the_label_says() -> None:
    mixed = Mixed(motions=TWO, identities=2, taught=1, fused=1, tested=1)
    scenes, _ = mixed.programme.stage(0)
    names = [LABELS[number] for number in scenes.label]
    assert names == [TWO[number] for number in mixed.motion]
    seeds = [scenes.looks[mixed.identity == who].unique().tolist() for who in (0, 1)]
    assert [len(each) for each in seeds] == [1, 1]
    assert seeds[0] != seeds[1]
    # No two clips are seen from the same place.
    assert len(scenes.eye[:, 0].unique(dim=0)) == len(mixed.labels)


def test_each_set_has_a_name_of_its_own() -> None:
    sets = [Mixed(), Mixed(seed=1), Mixed(points=128), Mixed(motions=TWO), Mixed(tested=5)]
    assert len({each.name for each in sets}) == 5
    assert Mixed().name == Mixed().name


def test_clips_are_drawn_followed_and_kept(tmp_path: Path) -> None:
    mixed = Mixed(motions=TWO, identities=1, taught=1, fused=0, tested=0, points=16, side=64)
    told: list[tuple[int, int]] = []
    watched = watch_mixed(mixed, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 2)]
    assert watched.geometry.shape == (2, 16, 32, 3)
    assert watched.visible.shape == (2, 16, 32)
    for pictures in watched.pictures:
        assert pictures.shape[0] == PICTURES
        assert max(pictures.shape[1:3]) <= 224
        assert pictures.std() > 5  # there is something to see
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    again = watch_mixed(mixed, tmp_path, progress=lambda done, total: None)
    assert file.stat().st_mtime_ns == before
    assert torch.equal(again.geometry, watched.geometry)
