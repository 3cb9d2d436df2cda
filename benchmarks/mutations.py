"""Ways to damage a file, each a function of its bytes and a source of chance.

Those that any file can suffer come first, then those that know what they are looking at: the boxes
of mp4, the elements of EBML (webm, mkv), the chunks of RIFF (avi), and the members of a zip of npy
arrays (tracks).
"""

import io
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from random import Random
from typing import Literal

import numpy as np

Mutation = Callable[[bytes, Random], bytes]
Order = Literal["big", "little"]

# Numbers at which readers go wrong: none, signs, powers of two, all ones.
_EDGES = [0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1 << 24, 0x7FFFFFFF]
_EDGES += [1 << 31, 0xFFFFFFF0, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
_MOST_FLIPS = 64
_BOMB_BYTES = 64 << 20  # of zeros; packed they are some tens of kilobytes


def flip_bits(data: bytes, chance: Random) -> bytes:
    """From one bit to some dozens, anywhere."""
    damaged = bytearray(data)
    for _ in range(chance.randint(1, _MOST_FLIPS)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def flip_in_the_header(data: bytes, chance: Random) -> bytes:
    """A few bits of the first half kilobyte, where readers decide what they have before them."""
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        damaged[chance.randrange(min(512, len(damaged)))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def put_an_edge(data: bytes, chance: Random) -> bytes:
    """A number at the edge of its range over 1, 2, 4 or 8 bytes, in either order."""
    width = min(chance.choice([1, 2, 4, 8]), len(data))
    number = chance.choice(_EDGES) % (1 << 8 * width)
    order: Order = "big" if chance.random() < 0.5 else "little"
    return _over(data, chance.randrange(len(data) - width + 1), number.to_bytes(width, order))


def swap_blocks(data: bytes, chance: Random) -> bytes:
    """Two pieces change places."""
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(4))
    a, b, c, d = cuts
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def repeat_a_block(data: bytes, chance: Random) -> bytes:
    """A piece comes several times."""
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * chance.randint(1, 8) + data[end:]


def truncate(data: bytes, chance: Random) -> bytes:
    """It ends early."""
    return data[: chance.randrange(1, len(data))]


def blank_a_block(data: bytes, chance: Random) -> bytes:
    """A piece is all zeros or all ones."""
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + chance.choice([b"\0", b"\xff"]) * (end - start) + data[end:]


def splice(data: bytes, other: bytes, chance: Random) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: chance.randrange(1, len(data))] + other[chance.randrange(len(other)) :]


# mp4


def change_a_box_size(data: bytes, chance: Random) -> bytes:
    """A box says that it is longer or shorter than it is."""
    starts = [found.start() - 4 for found in _BOXES.finditer(data) if found.start() >= 4]
    return _other_number(data, starts, chance, width=4, order="big")


def change_a_box_value(data: bytes, chance: Random) -> bytes:
    """A count, an offset or a time in one of the index's boxes is another."""
    starts = [found.end() + 4 * chance.randrange(1, 8) for found in _INDEX.finditer(data)]
    return _other_number(data, starts, chance, width=4, order="big")


def exchange_boxes(data: bytes, chance: Random) -> bytes:
    """One box has the name of another."""
    names = list(_BOXES.finditer(data))
    if len(names) < 2:
        return flip_bits(data, chance)
    one, other = chance.sample(names, 2)
    return _over(_over(data, one.start(), other[0]), other.start(), one[0])


_BOXES = re.compile(
    rb"ftyp|moov|mvhd|trak|tkhd|edts|elst|mdia|mdhd|hdlr|minf|vmhd|dinf|dref|stbl|stsd|avc1|avcC|"
    rb"stts|stss|ctts|stsc|stsz|stco|udta|meta|mdat|free"
)
_INDEX = re.compile(rb"mvhd|tkhd|elst|mdhd|dref|stsd|avc1|stts|stss|ctts|stsc|stsz|stco")


# webm and mkv


def change_an_element_size(data: bytes, chance: Random) -> bytes:
    """The size behind an EBML id is an edge, unknown, or of another length."""
    ends = [found.end() for found in _ELEMENTS.finditer(data)]
    if not ends:
        return flip_bits(data, chance)
    size = chance.choice(
        [b"\x80", b"\xff", b"\x81", b"\x01" + b"\xff" * 7, b"\x08\xff\xff\xff\xff"]
    )
    size = chance.choice([size, bytes([chance.randrange(256)]), b"\x01" + chance.randbytes(7)])
    return _over(data, chance.choice(ends), size)


def change_an_element_value(data: bytes, chance: Random) -> bytes:
    """What stands in an element begins otherwise."""
    places = [found.end() + chance.randrange(1, 9) for found in _ELEMENTS.finditer(data)]
    width = chance.choice([1, 2, 4, 8])
    return _other_number(data, places, chance, width=width, order="big")


_ELEMENTS = re.compile(
    rb"\x1a\x45\xdf\xa3|\x18\x53\x80\x67|\x11\x4d\x9b\x74|\x15\x49\xa9\x66|\x16\x54\xae\x6b|"
    rb"\x1f\x43\xb6\x75|\x1c\x53\xbb\x6b|\x2a\xd7\xb1|\x44\x89|\x63\xa2|\xae|\xe0|\xb0|\xba|\xa3|"
    rb"\xe7|\x23\xe3\x83|\x53\x6e"
)


# avi


def change_a_chunk_size(data: bytes, chance: Random) -> bytes:
    """A RIFF chunk says that it is longer or shorter than it is."""
    starts = [found.end() for found in _CHUNKS.finditer(data)]
    return _other_number(data, starts, chance, width=4, order="little")


def change_a_chunk_value(data: bytes, chance: Random) -> bytes:
    """A rate, a count or a size in a header of the AVI is another."""
    starts = [found.end() + 4 * chance.randrange(1, 14) for found in _CHUNKS.finditer(data)]
    return _other_number(data, starts, chance, width=4, order="little")


_CHUNKS = re.compile(rb"RIFF|LIST|avih|strh|strf|movi|idx1|00dc|JUNK")


# tracks


def change_a_zip_header(data: bytes, chance: Random) -> bytes:
    """A field of a local header, of the central directory or of its end is another."""
    starts = [found.end() + chance.randrange(26) for found in _ZIP_HEADERS.finditer(data)]
    return _other_number(data, starts, chance, width=chance.choice([2, 4]), order="little")


def change_an_array_header(data: bytes, chance: Random) -> bytes:
    """The header of an npy says another shape, type or order, or is no header."""
    shapes = [
        "(1000000000, 32, 2)",
        "(3, -4, 2)",
        "()",
        "(0, 8, 2)",
        "(3, 8, 99999999999999999999)",
    ]
    types = ["|O", "<f2", ">f4", "<c16", "<U8", "<M8[s]", "|V8", "<i8", "[('a', '<f4')]", "<f16"]
    words = {
        r"'shape': \([^)]*\)": f"'shape': {chance.choice(shapes)}",
        r"'descr': '[^']*'": f"'descr': {chance.choice([repr(each) for each in types])}",
        r"'fortran_order': False": "'fortran_order': True",
        r"'descr'": chance.choice(["'descr' : [] + ", "__import__('os')", "'" * 50, "(" * 500]),
    }

    def change(header: str) -> str:
        pattern, word = chance.choice(list(words.items()))
        return re.sub(pattern, lambda _: word, header, count=1)

    return _with_member(data, chance, lambda npy: _with_header(npy, change))


def change_array_values(data: bytes, chance: Random) -> bytes:
    """NaN, infinity or numbers beyond all bounds among those of an array."""
    numbers = [np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, -1.0, 0.0]

    def change(npy: bytes) -> bytes:
        start = 10 + int.from_bytes(npy[8:10], "little")
        values = npy[start:]
        code = "<d" if b"<f8" in npy[:start] else "<f"
        if len(values) < 8:
            return npy[:start] + chance.randbytes(len(values))
        place = chance.randrange(0, len(values) - 7, 8)
        word = struct.pack(code, chance.choice(numbers))
        return npy[:start] + _over(values, place, word)

    return _with_member(data, chance, change)


def make_a_bomb(data: bytes, chance: Random) -> bytes:
    """A member unpacks to tens of megabytes, with a header that admits it or that does not."""
    honest = chance.random() < 0.5

    def change(npy: bytes) -> bytes:
        shape = re.compile(r"'shape': \([^)]*\)")
        says = f"'shape': ({_BOMB_BYTES // 4},)" if honest else "'shape': (3, 8, 2)"
        return _with_header(npy, lambda text: shape.sub(says, text)) + bytes(_BOMB_BYTES)

    return _with_member(data, chance, change)


def change_the_members(data: bytes, chance: Random) -> bytes:
    """One is missing, has another name, comes twice, or there are a thousand more."""
    members = _members(data)
    name = chance.choice(list(members))
    others = [(other, npy) for other, npy in members.items() if other != name]
    added = {
        "missing": [],
        "renamed": [(chance.choice(["../../x.npy", "/etc/x", "xy", "a" * 9999]), members[name])],
        "twice": [(name, members[name]), (name, members[name][:-8])],
        "many": [(f"{number}.npy", b"") for number in range(1000)],
    }
    return _zipped(others + added[chance.choice(list(added))])


_ZIP_HEADERS = re.compile(rb"PK\x03\x04|PK\x01\x02|PK\x05\x06")

ANY: dict[str, Mutation] = {
    "bits": flip_bits,
    "bits of the header": flip_in_the_header,
    "edges": put_an_edge,
    "blocks swapped": swap_blocks,
    "blocks repeated": repeat_a_block,
    "blocks blanked": blank_a_block,
    "cut off": truncate,
}
SPLICED = "two files spliced"
_MP4: dict[str, Mutation] = {
    "box sizes": change_a_box_size,
    "box values": change_a_box_value,
    "box names": exchange_boxes,
}
_EBML: dict[str, Mutation] = {
    "EBML sizes": change_an_element_size,
    "EBML values": change_an_element_value,
}
OF: dict[str, dict[str, Mutation]] = {
    "mp4": _MP4,
    "webm": _EBML,
    "mkv": _EBML,
    "avi": {"RIFF sizes": change_a_chunk_size, "RIFF values": change_a_chunk_value},
    "tracks": {
        "zip headers": change_a_zip_header,
        "npy headers": change_an_array_header,
        "npy values": change_array_values,
        "zip members": change_the_members,
        "zip bombs": make_a_bomb,
    },
}


def _over(data: bytes, place: int, word: bytes) -> bytes:
    """The word written over what stands there; the length stays."""
    return (data[:place] + word + data[place + len(word) :])[: len(data)]


def _other_number(
    data: bytes, places: list[int], chance: Random, *, width: int, order: Order
) -> bytes:
    """The number at one of the places is an edge, a neighbour, or any."""
    places = [place for place in places if place + width <= len(data)]
    if not places:
        return flip_bits(data, chance)
    place, count = chance.choice(places), 1 << 8 * width
    now = int.from_bytes(data[place : place + width], order)
    near = now + chance.choice([-8, -1, 1, 8])
    number = chance.choice([chance.choice(_EDGES), near, 2 * now, chance.randrange(count)])
    return _over(data, place, (number % count).to_bytes(width, order))


def _with_member(data: bytes, chance: Random, change: Callable[[bytes], bytes]) -> bytes:
    """The tracks file with one of its arrays changed."""
    members = _members(data)
    name = chance.choice(list(members))
    return _zipped(
        [(other, change(npy) if other == name else npy) for other, npy in members.items()]
    )


def _members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore", category=UserWarning),  # of names that come twice
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, npy in members:
            # A ZipInfo of its own has a fixed date, so that the same seed makes the same bytes.
            archive.writestr(zipfile.ZipInfo(name), npy, zipfile.ZIP_DEFLATED, compresslevel=1)
    return buffer.getvalue()


def _with_header(npy: bytes, change: Callable[[str], str]) -> bytes:
    """An npy with its header, a line of text behind ten bytes, changed and padded anew."""
    end = 10 + int.from_bytes(npy[8:10], "little")
    text = change(npy[10:end].decode("latin-1").rstrip())
    padded = (text + " " * (-(len(text) + 11) % 64) + "\n").encode("latin-1")
    return npy[:8] + struct.pack("<H", len(padded)) + padded + npy[end:]
