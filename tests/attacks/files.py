"""Files that are made to do harm, each with a name and with what has to become of it.

They are made here, from small good files; nothing hostile is kept in the repository. `bait` is the
address of somebody who listens, and whom nobody must call.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from benchmarks.fuzz import Seeds
from tests.pointaction.test_tracks import billion_tracks, make_tracks
from tests.pointaction.video.playlist_avi import chunk

ACCEPTED = "accepted"
NO_VIDEO = frozenset({"unsupported-clip"})
DAMAGED = frozenset({"undecodable", "truncated-clip", "too-few-frames", "unsupported-codec"})
BAD_TRACKS = frozenset({"invalid-tracks", "too-many-tracks"})


@dataclass(frozen=True)
class Attack:
    """`make` gets good files by format and the bait's address."""

    name: str
    make: Callable[[Seeds, str], bytes]
    expected: frozenset[str]  # kinds of problems, or ACCEPTED: it is read as what it is besides
    field: str = "clip"


def playlists(bait: str) -> Mapping[str, bytes]:
    """What makes players open other files, or call somebody."""
    return {
        "HLS playlist": f"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXTINF:1,\n{bait}\n".encode(),
        "HLS master playlist": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{bait}\n".encode(),
        "ffconcat": f"ffconcat version 1.0\nfile '/etc/passwd'\nfile '{bait}'\n".encode(),
        "SDP": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        "DASH manifest": f"<?xml version='1.0'?><MPD><BaseURL>{bait}</BaseURL></MPD>".encode(),
        "Flash manifest": f"<manifest><media url='{bait}'/></manifest>".encode(),
        "subtitles that name a film": b"{1}{1}" + bait.encode() + b"\n",
    }


_HTML = b"<html><script>alert(document.domain)</script></html>"
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
_STILLS = {
    "GIF": b"GIF89a\x01\0\x01\0\x80\0\0" + bytes(6) + b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0;",
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(64),
    "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(64),
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(64),
    "WebP": b"RIFF\x40\0\0\0WEBPVP8 " + bytes(64),
    "WAV": b"RIFF\x40\0\0\0WAVEfmt " + bytes(64),
    "SVG": _SVG,
    "HTML": _HTML,
    "Ogg": b"OggS" + bytes(64),
    "Flash video": b"FLV\x01\x05\0\0\0\x09" + bytes(64),
    "MPEG transport stream": b"G\x40\0\x10" + bytes(184) + b"G",
    "PDF": b"%PDF-1.7\n" + bytes(64),
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(64),
}
_HEADS = {
    "mp4": b"\0\0\0\x18ftypisom\0\0\2\0isommp42",
    "avi": b"RIFF\0\x10\0\0AVI ",
    "mkv": b"\x1a\x45\xdf\xa3\x88\x42\x82\x88matroska",
}


def all_attacks(bait: str) -> list[Attack]:
    """Every one of them."""
    return [
        *(_fixed(f"{name}, said to be a clip", data, NO_VIDEO) for name, data in _STILLS.items()),
        *(
            _fixed(f"{name}, said to be a clip", data, NO_VIDEO)
            for name, data in playlists(bait).items()
        ),
        *(
            _fixed(f"{name} behind the first bytes of {container}", head + data, DAMAGED)
            for name, data in [*playlists(bait).items(), ("HTML", _HTML)]
            for container, head in _HEADS.items()
        ),
        *_POLYGLOTS,
        *_REFERENCES,
        *_BOMBS,
        *_TRACKS,
    ]


def _fixed(name: str, data: bytes, expected: frozenset[str]) -> Attack:
    return Attack(name, lambda seeds, bait: data, expected)


def _accepted(name: str, make: Callable[[Seeds, str], bytes]) -> Attack:
    return Attack(name, make, frozenset({ACCEPTED}))


# Boxes of mp4


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def within(data: bytes, path: list[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """The mp4 with the body of the box at `path` changed, and every size around it set right.

    The index has to lie behind the pictures, as `_seeds` has it, or these are moved from where
    it says that they are.
    """
    out, place = [], 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4])
        name, body = data[place + 4 : place + 8], data[place + 8 : place + size]
        if name == path[0]:
            body = within(body, path[1:], change) if path[1:] else change(body)
        out.append(box(name, body))
        place += size
    return b"".join(out)


_TRACK = [b"moov", b"trak"]
_TABLES = [*_TRACK, b"mdia", b"minf", b"stbl"]
_REFERENCE = [*_TRACK, b"mdia", b"minf", b"dinf", b"dref"]


def with_index_behind(seeds: Seeds) -> bytes:
    """The good mp4, as most writers write it. There is one `mdat`, and it is moved to the front."""
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(seeds["mp4"][0]), "r") as good,
        av.open(file, "w", format="mp4") as copy,
    ):
        stream = copy.add_stream_from_template(good.streams.video[0])
        for packet in good.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    return file.getvalue()


def _referring(seeds: Seeds, entry: bytes) -> bytes:
    """An mp4 whose pictures are said to lie elsewhere."""
    one = bytes(4) + struct.pack(">I", 1)
    return within(with_index_behind(seeds), _REFERENCE, lambda _: one + entry)


def _alias(path: bytes) -> bytes:
    """An entry as a Macintosh made it: a volume, a name, and a path of type 2."""
    names = bytes(10) + b"\1v" + bytes(26) + bytes(12) + b"\1f" + bytes(62) + bytes(16)
    path += b"\0" * (len(path) % 2)
    levels = struct.pack(">HH", 0, 1) + bytes(16)
    told = struct.pack(">HH", 2, len(path)) + path + b"\xff\xff\0\0"
    return box(b"alis", bytes(4) + names + levels + told)


def _zip(seeds: Seeds) -> bytes:
    return make_tracks().to_bytes()


_POLYGLOTS = [
    _accepted("mp4 and zip in one", lambda seeds, bait: seeds["mp4"][0] + _zip(seeds)),
    _accepted("mp4 with HTML in it", lambda seeds, bait: seeds["mp4"][0] + box(b"free", _HTML)),
    _accepted(
        "mp4 with SVG for its metadata", lambda seeds, bait: seeds["mp4"][0] + box(b"meta", _SVG)
    ),
    _accepted("mp4 and PDF in one", lambda seeds, bait: seeds["mp4"][0] + b"%PDF-1.7\n%%EOF"),
    _accepted("mkv with pages and fonts attached", lambda seeds, bait: _with_attachments(bait)),
    Attack(
        "zip and mp4 in one, sent as tracks",
        lambda seeds, bait: seeds["mp4"][0] + _zip(seeds),
        frozenset({"unsupported-tracks"}),
        field="tracks",
    ),
    Attack(
        "tracks, sent as a clip", lambda seeds, bait: _zip(seeds), frozenset({"unsupported-clip"})
    ),
]


def _with_attachments(bait: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as video:
        stream = video.add_stream("ffv1", rate=8)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        video.add_attachment("../../../tmp/x.html", "text/html", _HTML)
        video.add_attachment("/etc/passwd", "application/x-truetype-font", bait.encode())
        for number in range(8):
            picture = np.full((64, 64, 3), 20 * number, np.uint8)
            video.mux(stream.encode(VideoFrame.from_ndarray(picture)))
        video.mux(stream.encode(None))
    return file.getvalue()


_REFERENCES = [
    Attack(
        "mp4 whose pictures lie at a URL",
        lambda seeds, bait: _referring(seeds, box(b"url ", bytes(4) + bait.encode() + b"\0")),
        frozenset({ACCEPTED}) | DAMAGED,
    ),
    Attack(
        "mp4 whose pictures lie in /etc/passwd, as an alias",
        lambda seeds, bait: _referring(seeds, _alias(b"/etc/passwd")),
        DAMAGED,
    ),
    Attack(
        "mp4 whose pictures lie at a URL, as an alias",
        lambda seeds, bait: _referring(seeds, _alias(bait.encode())),
        DAMAGED,
    ),
]


# What is small and says, or becomes, something huge


def _giant_png(side: int) -> bytes:
    """All black, and as small as zlib makes it."""
    pixels = zlib.compress(bytes((1 + side // 8) * side), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def avi_of(pictures: list[bytes], codec: bytes, *, side: int, frames: int | None = None) -> bytes:
    """Put together by hand; its headers say `side` pixels square and so many `frames`."""
    count = len(pictures) if frames is None else frames
    main = struct.pack("<14I", 125_000, 0, 0, 0, count, 0, 1, 0, side, side, 0, 0, 0, 0)
    rates = struct.pack("<IIIIIIIIhhhh", 0, 0, 0, 1, 8, 0, count, 1 << 16, 0, 0, 64, 64)
    picture = struct.pack("<IiiHH4sIiiII", 40, side, side, 1, 24, codec, 0, 0, 0, 0, 0)
    stream = chunk(b"strh", b"vids" + codec + rates) + chunk(b"strf", picture)
    headers = b"hdrl" + chunk(b"avih", main) + chunk(b"LIST", b"strl" + stream)
    movie = b"movi" + b"".join(chunk(b"00dc", data) for data in pictures)
    return chunk(b"RIFF", b"AVI " + chunk(b"LIST", headers) + chunk(b"LIST", movie))


def _with_table(seeds: Seeds, name: bytes, *numbers: int) -> bytes:
    body = bytes(4) + b"".join(struct.pack(">I", number) for number in numbers)
    return within(with_index_behind(seeds), [*_TABLES, name], lambda _: body)


def _with_edits(seeds: Seeds, count: int) -> bytes:
    """An mp4 that wants its pictures shown from the beginning, again and again."""
    edits = bytes(4) + struct.pack(">I", count) + struct.pack(">IIHH", 1000, 0, 1, 0) * count
    return within(with_index_behind(seeds), [*_TRACK, b"edts", b"elst"], lambda _: edits)


def _boxes_in_boxes(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = box(b"moov", data)
    return _HEADS["mp4"] + data


_HUGE = frozenset(
    {"frame-too-large", "decoding-needs-too-much-memory", "decoding-too-slow", "clip-too-long"}
)
_BOMBS = [
    Attack(
        "pictures of 16000 x 16000",
        lambda seeds, bait: avi_of([_giant_png(16000)] * 3, b"MPNG", side=16000),
        frozenset({"frame-too-large"}),
    ),
    Attack(
        "pictures of 16000 x 16000, said to be of 64 x 64",
        lambda seeds, bait: avi_of([_giant_png(16000)] * 3, b"MPNG", side=64),
        frozenset({"frame-too-large"}),
    ),
    Attack(
        "pictures of 4096 x 4096, forty of them",
        lambda seeds, bait: avi_of([_giant_png(4096)] * 40, b"MPNG", side=4096),
        frozenset({"decoding-too-slow", ACCEPTED}),
    ),
    Attack(
        "10^9 frames in the index of an mp4",
        lambda seeds, bait: _with_table(seeds, b"stsz", 1, 10**9),
        _HUGE | DAMAGED,
    ),
    Attack(
        "10^9 times in the index of an mp4",
        lambda seeds, bait: _with_table(seeds, b"stts", 1, 10**9, 1),
        _HUGE | DAMAGED | {ACCEPTED},
    ),
    Attack(
        "10^9 entries that are not there in the index of an mp4",
        lambda seeds, bait: _with_table(seeds, b"stco", 10**9, 0),
        _HUGE | DAMAGED,
    ),
    Attack(
        "10^9 frames in the header of an avi",
        lambda seeds, bait: avi_of([_giant_png(64)] * 8, b"MPNG", side=64, frames=10**9),
        _HUGE,
    ),
    Attack(
        "an edit list that begins anew 50,000 times",
        lambda seeds, bait: _with_edits(seeds, 50_000),
        _HUGE | DAMAGED | {"frame-rate-too-high", "forged-duration"},
    ),
    Attack("20,000 boxes in boxes", lambda seeds, bait: _boxes_in_boxes(20_000), DAMAGED),
    Attack(
        "an mkv of elements whose size is unknown",
        lambda seeds, bait: (
            _HEADS["mkv"] + b"\x18\x53\x80\x67\xff" + b"\x1f\x43\xb6\x75\xff" * 9999
        ),
        DAMAGED,
    ),
]


# Tracks


def _members(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def _npy(descr: str, shape: tuple[int, ...], data: bytes = b"") -> bytes:
    header = io.BytesIO()
    told = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, told)
    return header.getvalue() + data


def _overlapping(count: int) -> bytes:
    """A directory of `count` names for one and the same packed megabytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xy.npy", bytes(8 << 20))
        archive.filelist *= count
    return buffer.getvalue()


def _crowded(count: int) -> bytes:
    """Empty members only; each becomes half a kilobyte in the memory of who opens it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xy.npy", b"")
        archive.filelist *= count
    return buffer.getvalue()


def _tracks(name: str, make: Callable[[Seeds, str], bytes]) -> Attack:
    return Attack(name, make, BAD_TRACKS, field="tracks")


_TRACKS = [
    _tracks("10^9 tracks in a header", lambda seeds, bait: billion_tracks().getvalue()),
    _tracks(
        "128 megabytes of zeros that a header admits",
        lambda seeds, bait: _members(times=_npy("<f8", (1 << 24,), bytes(1 << 27))),
    ),
    _tracks(
        "sixteen megabytes of zeros behind a small array",
        lambda seeds, bait: _members(times=_npy("<f8", (4,), bytes(1 << 24))),
    ),
    _tracks("one packed member with 5,000 names", lambda seeds, bait: _overlapping(5000)),
    _tracks("a directory of 100,000 names", lambda seeds, bait: _crowded(100_000)),
    _tracks("a zip in a zip", lambda seeds, bait: _members(xy=_members(xy=_zip(seeds)))),
    _tracks(
        "names that leave the folder",
        lambda seeds, bait: _members(**{"../../../tmp/x": b"", "/etc/passwd": b""}),
    ),
    _tracks(
        "an array of objects", lambda seeds, bait: _members(xy=_npy("|O", (1, 2, 2), b"cos\n"))
    ),
    _tracks(
        "an array of strings", lambda seeds, bait: _members(xy=_npy("<U8", (1, 2, 2), bytes(128)))
    ),
    _tracks("a header that is a program", lambda seeds, bait: _members(xy=_program())),
    _tracks("a header of brackets", lambda seeds, bait: _members(xy=_program(b"(" * 9000))),
    _tracks("a header of minus signs", lambda seeds, bait: _members(xy=_program(b"-" * 9000))),
    _tracks(
        "an array with a side of minus one",
        lambda seeds, bait: _members(xy=_npy("<f4", (-1, 2, 2), bytes(64))),
    ),
    _tracks(
        "an array whose size goes over 64 bits",
        lambda seeds, bait: _members(xy=_npy("<f4", (2**40, 2**40, 2), bytes(64))),
    ),
]


def _program(text: bytes = b"__import__('os').system('true')") -> bytes:
    line = text + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(line)) + line
