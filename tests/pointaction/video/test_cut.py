import numpy as np
import pytest

from pointaction.video.cut import WHOLE, Cut, decode_cut, file_digest, glance
from pointaction.video.decode import decode
from tests.videos import MakeVideo


def test_the_whole_is_what_decode_makes_of_it(make_video: MakeVideo) -> None:
    path = make_video()
    cut, plain = decode_cut(path, WHOLE), decode(path)
    np.testing.assert_array_equal(cut.frames, plain.frames)
    assert str(WHOLE) == ""


def test_every_frame_of_a_clip_is_taken_at_its_own_time(make_video: MakeVideo) -> None:
    clip = decode_cut(make_video(frames=50, fps=12.5), Cut(every=True))
    np.testing.assert_allclose(clip.times, np.arange(50) / 12.5)


@pytest.mark.parametrize(
    ("frames", "first", "last"),
    # 32 frames at a stride of 2 are 62 steps: 2.48 s in the middle of 3.96 s, or all of 1.96 s.
    [(100, 0.74, 3.22), (50, 0.0, 1.96)],
)
def test_a_stride_keeps_the_middle(
    make_video: MakeVideo, frames: int, first: float, last: float
) -> None:
    clip = decode_cut(make_video(frames=frames, fps=25), Cut(stride=2))
    np.testing.assert_allclose(clip.times, np.linspace(first, last, 32), atol=1e-6)


def test_a_stride_is_within_the_piece(make_video: MakeVideo) -> None:
    clip = decode_cut(make_video(frames=100, fps=25), Cut(start=1.0, end=2.0, stride=20))
    np.testing.assert_allclose(clip.times[[0, -1]], [1.0, 2.0])


def test_a_file_that_changes_is_looked_at_anew(make_video: MakeVideo) -> None:
    path = make_video(frames=10)
    before = glance(path).source.frames, file_digest(path)
    make_video(frames=20)  # the same name
    after = glance(path).source.frames, file_digest(path)
    assert (before[0], after[0]) == (10, 20)
    assert before[1] != after[1]


def test_other_cuts_have_other_names() -> None:
    cuts = [
        WHOLE,
        Cut(every=True),
        Cut(stride=2),
        Cut(start=1.0),
        Cut(end=1.0),
        Cut(start=1.25, end=2.0),
        Cut(start=1.25, end=2.0, stride=20),
    ]
    assert len({str(cut) for cut in cuts}) == len(cuts)


def test_a_cut_is_as_large_as_it_is_asked_for(make_video: MakeVideo) -> None:
    path = make_video(frames=50, fps=25)
    for cut in (WHOLE, Cut(every=True)):
        assert min(decode_cut(path, cut, short_side=24).frames.shape[1:3]) == 24


def test_a_piece_has_the_digest_of_its_file(make_video: MakeVideo) -> None:
    path = make_video()
    for cut in (WHOLE, Cut(start=0.2), Cut(every=True)):
        assert decode_cut(path, cut).sha256 == file_digest(path)
    assert decode_cut(path, Cut(start=0.2), sha256="told").sha256 == "told"
