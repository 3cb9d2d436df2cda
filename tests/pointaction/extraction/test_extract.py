import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from pointaction.errors import InputError
from pointaction.extraction.commands import extract as command
from pointaction.extraction.extract import FAILURES, Outcome, estimate, extract, to_do
from pointaction.extraction.follower import Failure, Followed, Follower, How
from pointaction.extraction.share import Share
from pointaction.extraction.sources import Wanted, read_source
from pointaction.synthetic.sample import write_sample
from pointaction.trackstore.manifest import MIXED
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter
from pointaction.video.cut import Cut
from tests.pointaction.trackstore.stores import contents

HOW = How(tracks=24)

# Extracts a folder in two processes and says how far it is; to be killed.
EXTRACTS = """
import sys
from pathlib import Path
from pointaction.extraction.extract import extract
from pointaction.extraction.follower import How
from pointaction.extraction.sources import read_source
if __name__ == "__main__":
    extract(read_source(Path(sys.argv[1])), sys.argv[2], How(tracks=24), processes=2,
            clips_per_shard=3, progress=lambda done, total: print(done, flush=True))
"""


@dataclass(frozen=True, kw_only=True)
class Deadly(Wanted):
    """A clip of which the process dies that takes it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)


class Unlucky(Wanted):
    """A clip whose process is killed by somebody else, the first two times."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (self.path, self.key)


def _taken(path: Path, key: str) -> Wanted:
    times = path.with_suffix(".times")
    with times.open("a") as file:
        file.write("x")
    if len(times.read_text()) <= 2:
        os._exit(9)
    return Wanted(key=key, path=path)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of two labels, and one file that is none."""
    folder = tmp_path_factory.mktemp("clips")
    write_sample("moving left", folder / "one.mp4", seed=1, side=64)
    for number in range(6):
        place = folder / "ab"[number % 2]
        place.mkdir(exist_ok=True)
        shutil.copy(folder / "one.mp4", place / f"{number}.mp4")
        with (place / f"{number}.mp4").open("ab") as file:
            file.write(bytes([0, 0, 0, 9, *b"free", number]))  # another file, of the same pictures
    (folder / "one.mp4").unlink()
    (folder / "b" / "broken.mp4").write_bytes(b"this is no video")
    return folder


@pytest.fixture(scope="module")
def extracted(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A store of them, in shards of three, that nobody disturbed; and one clip was deadly."""
    folder = tmp_path_factory.mktemp("store")
    wanted = read_source(clips)
    wanted.insert(2, Deadly(key="deadly", path=clips))
    return folder, extract(wanted, folder, HOW, processes=2, clips_per_shard=3)


def test_every_clip_comes_into_the_store_in_mixed_order(
    extracted: tuple[Path, Outcome],
) -> None:
    store = TrackStore(extracted[0])
    by_digest = sorted(
        ["a/0", "a/2", "a/4", "b/1", "b/3", "b/5"], key=lambda key: sha256(key.encode()).hexdigest()
    )
    assert [entry.key for entry in store] == by_digest
    assert [entry.label for entry in store] == [key[0] for key in by_digest] != [*"aaabbb"]
    assert store.read("b/3").xy.shape == (24, 32, 2)
    assert store.making == HOW.making()
    assert store.making.order == MIXED


def test_what_fails_stops_nothing_and_is_told(extracted: tuple[Path, Outcome]) -> None:
    folder, outcome = extracted
    assert (outcome.wanted, outcome.there, outcome.added) == (8, 0, 6)
    lines = (folder / FAILURES).read_text().splitlines()
    told = {(row["key"], row["kind"]) for row in map(json.loads, lines)}
    assert told == {("deadly", "process-died"), ("b/broken", "unsupported-clip")}


def test_a_clip_is_not_blamed_for_what_others_kill(clips: Path, tmp_path: Path) -> None:
    """Once among others, and once alone."""
    path = tmp_path / "unlucky.mp4"
    shutil.copy(clips / "a" / "0.mp4", path)
    wanted = [Unlucky(key="unlucky", path=path), *read_source(clips / "a")]
    outcome = extract(wanted, tmp_path / "store", HOW, processes=2)
    assert (outcome.added, outcome.failures) == (4, [])
    assert "unlucky" in TrackStore(tmp_path / "store").places


def test_an_extraction_that_is_killed_ends_as_if_it_had_not_been(
    clips: Path, extracted: tuple[Path, Outcome], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", EXTRACTS, clips, tmp_path], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.stdout.read()  # to its end: none of its processes outlives it
    outcome = extract(read_source(clips), tmp_path, HOW, clips_per_shard=3)
    assert outcome.there >= 3  # of four that it had come to, one may be none
    assert outcome.added == 6 - outcome.there
    ours, whole = contents(tmp_path), contents(extracted[0])
    assert {name: ours[name] for name in whole if name != FAILURES} == {
        name: data for name, data in whole.items() if name != FAILURES
    }
    assert ours.keys() == whole.keys()


def test_another_way_of_following_is_refused(clips: Path, extracted: tuple[Path, Outcome]) -> None:
    with pytest.raises(InputError, match="tracks was 24 and is 25"):
        extract(read_source(clips), extracted[0], How(tracks=25))


def test_a_store_that_was_begun_in_the_order_of_its_source_is_gone_on_with_in_that(
    clips: Path, tmp_path: Path
) -> None:
    """As releases did of which a manifest says nothing of any order."""
    wanted = read_source(clips / "a")[::-1]  # in no order of ours
    follower = Follower(HOW)
    for name, begun in (("whole", 3), ("gone-on", 1)):
        told = json.loads(HOW.making().to_bytes())
        del told["order"]
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps(told))
        writer = StoreWriter(TrackStore(tmp_path / name), clips_per_shard=2)
        for each in wanted[:begun]:
            found = follower.follow(each)
            assert isinstance(found, Followed)
            writer.add_members(each.key, found.members)
        writer.close(seal=begun == 3)
    extract(wanted, tmp_path / "gone-on", HOW, clips_per_shard=2)
    assert [entry.key for entry in TrackStore(tmp_path / "gone-on")] == ["4", "2", "0"]
    ours, whole = contents(tmp_path / "gone-on"), contents(tmp_path / "whole")
    assert {name: ours[name] for name in whole} == whole
    assert ours.keys() - whole.keys() == {FAILURES}


def test_shares_of_a_store_are_parts_of_its_order(clips: Path, tmp_path: Path) -> None:
    wanted = read_source(clips)
    parts = [to_do(wanted, tmp_path, HOW, share=Share(number, 2)).wanted for number in (1, 2)]
    whole = to_do(wanted[::-1], tmp_path, HOW).wanted  # whoever lists them otherwise
    assert (list(parts[0]), list(parts[1])) == (list(whole[::2]), list(whole[1::2]))
    extract(wanted, tmp_path, HOW, share=Share(2, 2))
    assert {shard.name for shard in TrackStore(tmp_path).shards} == {"shard-2-of-2-00000"}
    left = to_do(wanted, tmp_path, HOW).missing
    assert [each.key for each in left if each.key != "b/broken"] == [
        each.key for each in parts[0] if each.key != "b/broken"
    ]


def test_what_is_missing_is_estimated(clips: Path, extracted: tuple[Path, Outcome]) -> None:
    nothing = to_do([each for each in read_source(clips) if each.label == "a"], extracted[0], HOW)
    assert (len(nothing.wanted), nothing.missing) == (3, [])
    told = estimate(nothing.missing, HOW)
    assert (told.clips, told.tried, told.seconds, told.bytes) == (0, None, None, None)
    todo = to_do(read_source(clips / "a"), extracted[0], HOW)
    told = estimate(todo.missing, HOW, processes=2)
    assert told.tried is not None
    assert (told.clips, told.seconds) == (3, 3 * told.tried.seconds / 2)
    shards = TrackStore(extracted[0]).shards
    assert 0 < told.tried.bytes < sum(shard.length for shard in shards) / 6  # without its headers


def test_a_clip_is_followed_alike_every_time_and_wherever_it_lies(
    clips: Path, tmp_path: Path
) -> None:
    follower = Follower(HOW)
    video = clips / "a" / "0.mp4"
    tar = tmp_path / "clips.tar"
    tar.write_bytes(b"other" + video.read_bytes() + b"other")
    places = [
        Wanted(key="a", path=video),
        Wanted(key="a", path=video),
        Wanted(key="a", path=tar, inside=(5, video.stat().st_size)),
    ]
    found = [follower.follow(place) for place in places]
    assert isinstance(found[0], Followed)
    assert found[0] == found[1] == found[2]


def test_a_piece_is_followed_as_densely_as_was_asked(clips: Path, tmp_path: Path) -> None:
    how = How(tracks=8, cut=Cut(every=True))
    piece = Wanted(key="a", path=clips / "a" / "0.mp4", cut=Cut(start=0.5, end=1.0), label="tick")
    found = Follower(how).follow(piece)
    assert isinstance(found, Followed)
    with StoreWriter(TrackStore.create(tmp_path, how.making())) as writer:
        writer.add_members("a", found.members)
    store = TrackStore(tmp_path)
    assert store.entry("a").label == "tick"
    assert abs(store.read("a").duration_s - 0.5) < 0.1
    assert store.making.sampling == "every frame"
    assert np.isfinite(store.read("a").xy).all()


def test_a_file_that_is_gone_is_a_failure(tmp_path: Path) -> None:
    found = Follower(HOW).follow(Wanted(key="a", path=tmp_path / "nowhere.mp4"))
    assert isinstance(found, Failure)
    assert (found.kind, found.key) == ("no-such-file", "a")


def test_the_command_goes_on_and_tells_what_failed(
    clips: Path, extracted: tuple[Path, Outcome], tmp_path: Path
) -> None:
    app = Typer()
    app.command()(command)
    folder = shutil.copytree(extracted[0], tmp_path / "store")
    words = ["-o", str(folder), "--tracks", "24", "--per-shard", "3"]
    before = contents(folder)
    done = CliRunner().invoke(app, [str(clips / "a"), *words, "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "3 of 3 clips are not there yet" in done.output  # their keys have no folder
    assert "a clip, by 1 process with nothing else to do" in done.output.replace("\n", "")
    assert contents(folder) == before
    done = CliRunner().invoke(app, [str(clips), *words, "--no-estimate"])
    assert done.exit_code == 1, done.output
    assert "6 of 7 clips, 0 of them new" in done.output.replace("\n", "")
    assert "b/broken.mp4" in done.output


def test_a_dry_run_begins_no_store(clips: Path, tmp_path: Path) -> None:
    app = Typer()
    app.command()(command)
    words = ["-o", str(tmp_path / "store"), "--tracks", "24", "--dry-run"]
    done = CliRunner().invoke(app, [str(clips / "a"), *words])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "store").exists()
