"""Clips, tracks and jobs as parts of a form."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from pointaction.client import Client
from pointaction.client.sources import Sample, file_part, portions, samples_of, support
from pointaction.errors import InputError
from tests.service.doubles import three_tracks


def labels(samples: list[Sample]) -> str:
    return "".join(sample.label for sample in samples)


def test_the_first_examples_are_of_different_labels() -> None:
    assert labels(samples_of({"a": [b"1", b"2", b"3"], "b": [b"4"], "c": [b"5", b"6"]})) == "abcaca"


def test_many_are_sent_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointaction.client.sources._BYTES_AT_ONCE", 10)
    monkeypatch.setattr("pointaction.client.sources._FILES_AT_ONCE", 3)
    samples = [Sample(str(size), bytes(size)) for size in (6, 4, 1, 12, 1, 1, 1, 1)]
    assert list(map(labels, portions(samples))) == ["64", "1", "12", "111", "1"]
    assert list(map(labels, portions([*samples[3:], *samples[:3]], first=2))) == [
        "121",
        "111",
        "64",
        "1",
    ]


def test_jobs_and_files_are_sent_apart() -> None:
    with Client("http://127.0.0.1:9") as client:
        sent = list(portions(samples_of({"a": [client.job("j"), b"1"], "b": [b"2"]})))
    assert list(map(labels, sent)) == ["ba", "a"]
    with ExitStack() as opened:
        parts = support(sent[1], opened)
    assert parts == [("labels", (None, "a")), ("jobs", (None, "j"))]


def test_tracks_are_told_from_clips_by_their_first_bytes(tmp_path: Path) -> None:
    tracks = three_tracks()
    (tmp_path / "no.hint").write_bytes(tracks.to_bytes())
    (tmp_path / "clip.mp4").write_bytes(b"video")
    with ExitStack() as opened:
        sources = (
            tracks,
            tracks.to_bytes(),
            tmp_path / "no.hint",
            str(tmp_path / "clip.mp4"),
            b"v",
        )
        parts = [file_part(source, opened) for source in sources]
        assert [part for part, _ in parts] == ["tracks", "tracks", "tracks", "clip", "clip"]
        name, file = parts[3][1]
        assert name == "clip.mp4"
        assert not isinstance(file, str | bytes)
        assert file.read() == b"video"
    assert file.closed


def test_a_file_that_is_not_there_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    with ExitStack() as opened, pytest.raises(InputError, match=r"no file 'none.mp4'") as error:
        file_part(tmp_path / "none.mp4", opened)
    assert error.value.kind == "no-such-file"


def test_one_clip_in_the_place_of_a_list_is_seen() -> None:
    with pytest.raises(InputError, match="'wave' needs a list of clips, got str"):
        samples_of({"wave": "w.mp4"})
