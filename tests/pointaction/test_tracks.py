import io
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.errors import InputError, LimitExceeded
from pointaction.tracks import FILE_VERSION, Tracks


def make_tracks(*, count: int = 3, frames: int = 4, depth: bool = True) -> Tracks:
    xy = np.arange(count * frames * 2, dtype=np.float32).reshape(count, frames, 2)
    return Tracks(
        xy=xy,
        visible=np.ones((count, frames), bool),
        confidence=np.full((count, frames), 0.5, np.float32),
        query=np.zeros((count, 3), np.float32),
        size=(48, 64),
        times=np.arange(frames) / 10,
        depth=np.ones((count, frames), np.float32) if depth else None,
    )


def rewritten(tracks: Tracks, **arrays: Any) -> io.BytesIO:
    """The tracks' file with some members replaced (or left out, where None)."""
    members: dict[str, NDArray[Any]] = dict(np.load(io.BytesIO(tracks.to_bytes())))
    members |= arrays
    file = io.BytesIO()
    kept: dict[str, Any] = {name: part for name, part in members.items() if part is not None}
    np.savez(file, **kept)
    file.seek(0)
    return file


@pytest.mark.parametrize("depth", [True, False])
def test_a_file_gives_back_what_was_saved(tmp_path: Path, depth: bool) -> None:
    tracks = make_tracks(depth=depth)
    tracks.save(tmp_path / "a.tracks.npz")
    loaded = Tracks.load(tmp_path / "a.tracks.npz")
    np.testing.assert_array_equal(loaded.xy, tracks.xy)
    np.testing.assert_array_equal(loaded.times, tracks.times)
    assert loaded.size == tracks.size
    assert (loaded.depth is not None) == depth


def test_equal_tracks_make_equal_bytes() -> None:
    assert make_tracks().to_bytes() == make_tracks().to_bytes()


def test_nan_is_refused_with_its_count() -> None:
    tracks = make_tracks()
    xy = tracks.xy.copy()
    xy[0, 0, 0] = xy[1, 2, 1] = np.nan
    with pytest.raises(InputError, match="xy has 2 values that are NaN") as caught:
        Tracks.load(rewritten(tracks, xy=xy))
    assert caught.value.kind == "tracks-not-finite"


def test_a_pickle_is_never_opened() -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("the pickle was opened",))

    with pytest.raises(InputError, match="not a tracks file"):
        Tracks.load(io.BytesIO(pickle.dumps(Bomb())))
    file = io.BytesIO()
    np.savez(file, xy=np.array([Bomb()], dtype=object), allow_pickle=True)
    file.seek(0)
    with pytest.raises(InputError, match="dtype object"):
        Tracks.load(file)


def billion_tracks() -> io.BytesIO:
    """A file of a few hundred bytes whose header promises 10^9 tracks."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 32, 2)}
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xy.npy", header.getvalue())
    return file


def test_a_billion_tracks_are_refused_by_their_header() -> None:
    with pytest.raises(LimitExceeded) as caught:
        Tracks.load(billion_tracks())
    assert caught.value.kind == "too-many-tracks"
    assert caught.value.value == [10**9, 32, 2]


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"xy": np.zeros((3, 4), np.float32)}, "xy must have 3 axes"),
        ({"xy": np.zeros((3, 4, 3), np.float32)}, "at most"),
        ({"visible": np.ones((3, 5), bool)}, r"visible must be \(N, T\)"),
        ({"visible": np.ones((3, 4), np.float32)}, "dtype float32"),
        ({"confidence": None}, "lacks confidence"),
        ({"times": np.zeros(4)}, "times must rise"),
        ({"size": np.array([0, 10], np.int32)}, "size"),
        ({"version": np.array(FILE_VERSION + 1)}, "version 2 is not 1"),
        ({"surprise": np.zeros(1)}, "unexpected member"),
        ({"xy": np.full((3, 4, 2), 1e9, np.float32)}, "is believed"),
    ],
)
def test_what_is_wrong_is_said(arrays: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Tracks.load(rewritten(make_tracks(depth=False), **arrays))


def test_bytes_cut_anywhere_are_an_input_error() -> None:
    data = make_tracks().to_bytes()
    for end in range(0, len(data) - 1, 37):
        with pytest.raises(InputError):
            Tracks.load(io.BytesIO(data[:end]))


def test_flipped_bytes_are_an_input_error_or_other_tracks() -> None:
    data = make_tracks().to_bytes()
    for place in range(0, len(data), 11):
        broken = bytearray(data)
        broken[place] ^= 0xFF
        try:
            Tracks.load(io.BytesIO(broken))
        except InputError:
            continue


def test_one_frame_is_not_a_track() -> None:
    tracks = make_tracks()
    with pytest.raises(InputError, match="T >= 2"):
        replace(
            tracks,
            xy=tracks.xy[:, :1],
            visible=tracks.visible[:, :1],
            confidence=tracks.confidence[:, :1],
            depth=None,
            times=tracks.times[:1],
        )


def with_header(line: bytes) -> io.BytesIO:
    """A file whose `xy` begins with this line for a header."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        told = b"\x93NUMPY\x01\0" + len(line).to_bytes(2, "little") + line
        archive.writestr("xy.npy", told + bytes(64))
    return file


@pytest.mark.parametrize(
    "line",
    [
        b"(" * 1000,
        b"-" * 1000,
        b"__import__('os').abort()",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, -2, 2), }",
        b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 2, 2), }",
        b"{'descr': '<f4', 'fortran_order': 1 / 0, 'shape': (1, 2, 2), }",
    ],
)
def test_a_header_is_no_piece_of_python(line: bytes) -> None:
    """numpy evaluates it as one, and a deep one exhausts its parser."""
    with pytest.raises(InputError, match="header of an array is not as numpy writes it"):
        Tracks.load(with_header(line))


def test_a_long_header_is_not_read() -> None:
    with pytest.raises(InputError, match="a header of 60000 bytes"):
        Tracks.load(with_header(b" " * 60_000))


def test_a_type_that_numpy_does_not_know_is_an_input_error() -> None:
    line = b"{'descr': '<f3', 'fortran_order': False, 'shape': (1, 2, 2), }"
    with pytest.raises(InputError, match="not a tracks file"):
        Tracks.load(with_header(line))


def test_a_directory_of_many_names_is_not_opened() -> None:
    """Each of its entries would become an object of half a kilobyte."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xy.npy", b"")
        archive.filelist *= 10_000
    with pytest.raises(InputError, match="more members than any tracks file"):
        Tracks.load(file)


def test_a_file_that_was_given_open_stays_open() -> None:
    file = io.BytesIO(make_tracks().to_bytes())
    Tracks.load(file)
    file.seek(0)
    assert file.read(2) == b"PK"
