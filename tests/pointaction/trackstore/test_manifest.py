import json
from dataclasses import replace

import pytest

from pointaction.errors import InputError
from pointaction.trackstore.manifest import AS_GIVEN, MIXED, Making
from tests.pointaction.trackstore.stores import MAKING


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Making.from_bytes(MAKING.to_bytes(), of="store") == MAKING


def test_notes_make_no_other_tracks() -> None:
    noted = replace(MAKING, notes={"source": "clips"})
    assert noted.digest == MAKING.digest
    noted.expect(MAKING, of="store")
    assert Making.from_bytes(noted.to_bytes(), of="store").notes == {"source": "clips"}


def test_an_order_makes_no_other_tracks_and_is_remembered() -> None:
    mixed = replace(MAKING, order=MIXED)
    assert mixed.digest == MAKING.digest
    mixed.expect(MAKING, of="store")
    assert Making.from_bytes(mixed.to_bytes(), of="store").order == MIXED
    told = json.loads(mixed.to_bytes())
    del told["order"]  # as releases wrote it that kept to the source
    assert Making.from_bytes(json.dumps(told).encode(), of="store").order == AS_GIVEN


def test_another_making_is_refused_with_all_that_differs() -> None:
    other = replace(MAKING, tracks=512, depth=None)
    assert other.digest != MAKING.digest
    with pytest.raises(InputError, match="depth was .*looming.* and is null; tracks was 6 and is"):
        MAKING.expect(other, of="store")


def test_a_manifest_that_was_changed_is_refused() -> None:
    told = json.loads(MAKING.to_bytes())
    for changed in (told | {"tracks": 7}, told | {"tracker": {"name": "another"}}):
        with pytest.raises(InputError, match="changed by hand"):
            Making.from_bytes(json.dumps(changed).encode(), of="store")


def test_a_manifest_of_another_release_says_so() -> None:
    told = json.loads(MAKING.to_bytes())
    with pytest.raises(InputError, match="format 2, this release reads 1"):
        Making.from_bytes(json.dumps(told | {"format": 2}).encode(), of="store")
    with pytest.raises(InputError, match="not as this release writes it"):
        Making.from_bytes(json.dumps(told | {"other": 2}).encode(), of="store")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'"text"', b'{"format": 1}'])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="not the manifest of a track store"):
        Making.from_bytes(data, of="store")
