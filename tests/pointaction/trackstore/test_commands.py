from pathlib import Path

from typer.testing import CliRunner

from pointaction.trackstore.commands import trackstore
from tests.pointaction.trackstore.stores import filled, looked_at
from tests.pointaction.trackstore.test_store import spoil


def said(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(trackstore, [str(word) for word in words])
    return done.exit_code, done.output


def test_a_store_is_shown(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    code, text = said("show", tmp_path)
    assert code == 0
    for line in ("lucas-kanade 1", "5 in 2 shards", "6 a clip", "features: none"):
        assert line in text
    assert "3  a" in text
    assert "2  b" in text


def test_the_features_of_a_store_are_shown(tmp_path: Path) -> None:
    looked_at(tmp_path, 5)
    code, text = said("show", tmp_path)
    assert code == 0
    assert "features: looks-tiny, dddddddddddd, 2 frames, 4 tokens of 3" in text


def test_a_store_is_compared_with_its_checksums(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    for options in ([], ["--decode"]):
        code, text = said("verify", tmp_path, *options)
        assert (code, "5 clips in 2 shards, ok" in " ".join(text.split())) == (0, True)
    spoil(tmp_path, "clips/0004")
    code, text = said("verify", tmp_path)
    assert code == 1
    assert "clips/0004.tracks has digest" in text.replace("\n", "")


def test_what_two_writers_put_twice_is_told(tmp_path: Path) -> None:
    filled(tmp_path, 4)
    for path in (tmp_path / "shards").glob("shard-00000.*"):
        data = path.read_bytes()
        twin = path.with_name(path.name.replace("shard", "other"))
        twin.write_bytes(data.replace(b'"shard-00000"', b'"other-00000"'))
    code, text = said("verify", tmp_path)
    assert code == 1
    assert "clips/0003 is there more than once" in text
