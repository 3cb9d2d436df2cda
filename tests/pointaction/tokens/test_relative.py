import torch

from pointaction.tokens.relative import farthest_tracks, in_order, relative_displacements

XY = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]])[None, :, None].expand(1, 3, 2, 2)
SEEN = torch.ones(1, 3, 2).bool()


def test_a_track_is_told_where_it_is_as_seen_from_every_other() -> None:
    told = relative_displacements(XY, SEEN, in_order(XY))
    assert told.shape == (1, 3, 2, 6)
    assert told[0, 1, 0].tolist() == [1, 0, 0, 0, 1, -5]


def test_what_is_not_visible_in_a_frame_tells_nothing_there() -> None:
    seen = SEEN.clone()
    seen[0, 2, 1] = False
    told = relative_displacements(XY, seen, in_order(XY))
    assert told[0, 0].tolist() == [[0, 0, -1, 0, 0, -5], [0, 0, -1, 0, 0, 0]]
    assert not told[0, 2, 1].any()


def test_moving_all_tracks_together_changes_nothing() -> None:
    anchors = torch.tensor([[2, 0]])
    moved = relative_displacements(XY + 3, SEEN, anchors)
    torch.testing.assert_close(moved, relative_displacements(XY, SEEN, anchors))


def test_anchors_are_far_apart_and_the_same_in_any_order() -> None:
    line = torch.tensor([0.0, 1.0, 2.0, 4.0, 4.5])  # mean 2.3
    xy = torch.stack([line, torch.zeros(5)], -1)[None, :, None]
    assert farthest_tracks(xy, 3).tolist() == [[2, 4, 0]]
    shuffle = torch.tensor([3, 0, 4, 2, 1])
    chosen = farthest_tracks(xy[:, shuffle], 5)[0]
    assert shuffle[chosen].tolist() == farthest_tracks(xy, 5)[0].tolist()


def test_absent_tracks_are_no_anchors() -> None:
    present = torch.tensor([[True, True, False]])
    assert farthest_tracks(XY, 2, present)[0].sort().values.tolist() == [0, 1]
    assert set(farthest_tracks(XY, 4, present)[0].tolist()) == {0, 1}
