from pathlib import Path

import av
import cv2
import pytest

from pointaction.synthetic import gallery
from pointaction.synthetic.gallery import PIECES, write_gallery
from pointaction.synthetic.vocabulary import LABELS


def test_every_piece_shows_a_named_motion_and_has_a_name_of_its_own() -> None:
    assert {piece.motion for piece in PIECES} <= set(LABELS)
    assert len({piece.name for piece in PIECES}) == len(PIECES)


def test_a_piece_is_a_small_clip_with_a_still_picture_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "PIECES", PIECES[:1])
    write_gallery(tmp_path / "new")
    clip, still = (tmp_path / "new" / f"{PIECES[0].name}.{ending}" for ending in ("mp4", "jpg"))
    with av.open(str(clip)) as file:
        sizes = [(frame.width, frame.height) for frame in file.decode(video=0)]
    assert len(sizes) == 48
    assert max(sizes[0]) == 256
    assert clip.stat().st_size < 150_000
    picture = cv2.imread(str(still))
    assert picture is not None
    assert max(picture.shape[:2]) == 192
