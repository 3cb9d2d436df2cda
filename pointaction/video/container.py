"""Tell a video container by its first bytes. No decoder is loaded: the web process asks too."""

NAMES = ("mp4", "mov", "webm", "mkv", "avi")
SUFFIXES = tuple(f".{name}" for name in NAMES)  # of the files that hold them
HEAD_BYTES = 64  # what `sniff` wants to see; more does not hurt

# The one demuxer that each container is opened with. Nothing is probed, so a playlist or a
# concat script never reaches a demuxer that would follow the addresses inside it.
DEMUXERS = {
    "mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    "mov": "mov,mp4,m4a,3gp,3g2,mj2",
    "webm": "matroska,webm",
    "mkv": "matroska,webm",
    "avi": "avi",
}

_EBML = b"\x1a\x45\xdf\xa3"
# Boxes that a QuickTime file may begin with when it has no `ftyp` (it is older than that box).
_QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_STILL_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"crx "}
_MIN_BOX = 8


def sniff(head: bytes) -> str | None:
    """The container's name (one of NAMES) from the first bytes of a file, or None.

    Text, playlists, pictures and audio files are None, whatever their file name says.
    """
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        return "avi"
    if head[:4] == _EBML:
        return "webm" if b"webm" in head[:HEAD_BYTES] else "mkv"
    if len(head) < _MIN_BOX:
        return None
    size, box = int.from_bytes(head[:4]), head[4:8]
    if size < _MIN_BOX and size not in (0, 1):  # 0: to the end of the file; 1: 64-bit size
        return None
    if box == b"ftyp":
        brand = head[8:12]
        if brand in _STILL_BRANDS:
            return None
        return "mov" if brand == b"qt  " else "mp4"
    return "mov" if box in _QUICKTIME_BOXES else None
