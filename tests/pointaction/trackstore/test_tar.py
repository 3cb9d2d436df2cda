import io
import tarfile

from pointaction.trackstore.tar import BLOCK, END, members, packed


def archive() -> bytes:
    return packed("a/1.tracks", b"abc") + packed("a/1.json", bytes(BLOCK)) + END


def test_any_reader_of_tar_files_finds_what_was_packed() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive())) as opened:
        found = {member.name: opened.extractfile(member) for member in opened}
        assert {name: file.read() for name, file in found.items() if file} == {
            "a/1.tracks": b"abc",
            "a/1.json": bytes(BLOCK),
        }
        assert {(member.mtime, member.uid, member.mode) for member in opened} == {(0, 0, 0o644)}


def test_equal_members_make_equal_bytes() -> None:
    assert packed("a.json", b"abc") == packed("a.json", b"abc")
    assert len(packed("a.json", b"abc")) == 2 * BLOCK


def test_members_are_found_where_they_lie() -> None:
    data = archive()
    found = list(members(io.BytesIO(data), len(data)))
    assert [(each.name, each.offset, each.length) for each in found] == [
        ("a/1.tracks", BLOCK, 3),
        ("a/1.json", 3 * BLOCK, BLOCK),
    ]
    assert data[found[0].offset :][: found[0].length] == b"abc"


def test_what_is_cut_off_is_not_found() -> None:
    data = archive()
    for length in range(4 * BLOCK):
        found = list(members(io.BytesIO(data), length))
        assert len(found) == (length >= 2 * BLOCK)


def test_what_is_no_tar_file_has_no_members() -> None:
    for data in (b"", b"no tar file", b"x" * 5000, bytes(5000)):
        assert list(members(io.BytesIO(data), len(data))) == []
