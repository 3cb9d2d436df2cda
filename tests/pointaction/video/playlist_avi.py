"""An AVI with a subtitle stream that holds a playlist, put together by hand."""

import struct
from pathlib import Path

import av


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _list(name: bytes, *parts: bytes) -> bytes:
    return chunk(b"LIST", name + b"".join(parts))


def _stream_header(kind: bytes, codec: bytes, length: int) -> bytes:
    rates = struct.pack("<IIIIIIIIhhhh", 0, 0, 0, 1, 10, 0, length, 1 << 16, 0, 0, 64, 48)
    return chunk(b"strh", kind + codec + rates)


def avi_with_playlist(mjpeg: Path, address: str) -> bytes:
    """The frames of an mjpeg file of 64 x 48 pixels, with a playlist for subtitles."""
    with av.open(str(mjpeg)) as file:
        pictures = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    playlist = f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10,\n{address}\n#EXT-X-ENDLIST\n"
    description = "playlist".encode("utf-16-le") + b"\0\0"
    subtitles = b"GAB2\0" + struct.pack("<HI", 2, len(description)) + description
    subtitles += struct.pack("<HI", 4, len(playlist)) + playlist.encode()
    picture = struct.pack("<IiiHH4sIiiII", 40, 64, 48, 1, 24, b"MJPG", 9216, 0, 0, 0, 0)
    main = struct.pack("<14I", 100_000, 0, 0, 0, len(pictures), 0, 2, 0, 64, 48, 0, 0, 0, 0)
    headers = _list(
        b"hdrl",
        chunk(b"avih", main),
        _list(
            b"strl",
            _stream_header(b"vids", b"MJPG", len(pictures)),
            chunk(b"strf", picture),
        ),
        _list(b"strl", _stream_header(b"txts", bytes(4), 1), chunk(b"strf", b"")),
    )
    movie = _list(b"movi", chunk(b"01tx", subtitles), *(chunk(b"00dc", data) for data in pictures))
    return chunk(b"RIFF", b"AVI " + headers + movie)
