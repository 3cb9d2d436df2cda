"""What a clip may cost. Refused before, or stopped during, decoding; never after."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeLimits:
    max_duration_s: float = 60.0
    max_side: int = 4096  # pixels, of the stored picture
    max_fps: float = 480.0
    min_frames: int = 2
    memory_mb: int = 1024  # address space that decoding may add
    cpu_s: int = 20
    wall_s: float = 30.0
    max_file_bytes: int = 1 << 30


# A clip as thin as a line is not scaled up without end: no side of the frames that come out is
# longer than this many times the short side that was asked for.
LONGEST_SIDE = 8
