from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pointaction.evaluation.followed import Followed
from pointaction.evaluation.performances import EXACT, watch
from pointaction.evaluation.unseen import Repertoire, describe_followed, describe_repertoire
from pointaction.fewshot.features import Part, stacked
from pointaction.models.traction import TrackEncoder, TrActionConfig
from pointaction.tracks import Tracks

FEW = replace(EXACT, points=8)
CLIP: tuple[Part, ...] = ("clip",)


def encoder() -> TrackEncoder:
    config = TrActionConfig(frames=16, width=12, layers=1, heads=2, dropout=0.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TrackEncoder(config).eval().requires_grad_(False)


def silent(done: int, total: int) -> None:
    """Nobody counts."""


def test_every_program_is_performed_as_often_and_never_twice_alike() -> None:
    told = []
    parts: tuple[Part, ...] = ("clip", "frames", "patches")
    found = describe_repertoire(
        encoder(),
        Repertoire(programs=3, performances=2),
        FEW,
        parts=parts,
        progress=lambda done, total: told.append((done, total)),
    )
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert told == [(4, 6), (6, 6)]
    assert stacked(found.clips, "clip").shape == (6, 12)
    assert stacked(found.clips, "frames").shape == (6, 8, 12)
    assert stacked(found.clips, "patches").shape[:3] == (6, 8, 16)
    assert found.clips[0].points is None  # nobody asked
    assert len(stacked(found.clips, "clip").unique(dim=0)) == 6


def test_another_seed_has_other_programs_and_the_same_one_the_same() -> None:
    def described(seed: int) -> torch.Tensor:
        acts = Repertoire(programs=2, performances=2, seed=seed)
        found = describe_repertoire(encoder(), acts, FEW, parts=CLIP, progress=silent)
        return stacked(found.clips, "clip")

    first = described(0)
    torch.testing.assert_close(described(0), first)
    assert not torch.allclose(described(1), first)


def test_clips_are_numbered_by_their_labels_in_order() -> None:
    points = np.random.default_rng(0).uniform(5, 60, (8, 1, 2)).repeat(16, 1).astype(np.float32)
    tracks = Tracks(
        xy=points,
        visible=np.ones((8, 16), bool),
        confidence=np.ones((8, 16), np.float32),
        depth=np.ones((8, 16), np.float32),
        query=np.concatenate([np.zeros((8, 1)), points[:, 0]], 1).astype(np.float32),
        size=(64, 64),
        times=np.arange(16) / 16,
    )
    clips = [Followed(tracks=tracks, label=label, path=Path(label)) for label in ("b", "a", "b")]
    found = describe_followed(encoder(), clips, parts=CLIP, progress=silent)
    assert found.labels.tolist() == [1, 0, 1]
    assert stacked(found.clips, "clip").shape == (3, 12)


def test_more_programs_leave_the_first_ones_as_they_are_performed() -> None:
    two, three = (
        next(iter(watch(Repertoire(programs=count, performances=2), FEW, clock=8)))
        for count in (2, 3)
    )
    assert torch.equal(two.geometry, three.geometry)
    assert not torch.equal(two.geometry[0], two.geometry[1])
