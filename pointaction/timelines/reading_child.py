"""The process that a long video is decoded in: `python -m pointaction.timelines.reading_child FD`.

As `pointaction.video.sandbox_child`, whose zygote, limits and confinement these are, but the
frames go into a pipe, in their order and one at a time, as fast as somebody reads them.
"""

import io
import json
import os
from typing import Any

from pointaction.video.limits import DecodeLimits
from pointaction.video.reader import read_clip, read_on
from pointaction.video.sandbox_child import Answer, main
from pointaction.video.stamps import Stamps

_WANTED = ("container", "frames", "since", "short_side", "enlarge", "end")
HEAD_BYTES = 64  # of the line before each frame: its number, height and width


def stream_clip(clip: io.RawIOBase, pipe: int, request: dict[str, Any]) -> Answer:
    """For every frame (H, W, 3) a padded line that says [t, H, W], and its bytes."""

    def write(t: int, picture: Any) -> None:
        head = json.dumps([t, *picture.shape[:2]]).encode()
        for data in (memoryview(head.ljust(HEAD_BYTES)), memoryview(picture).cast("B")):
            while data:
                data = data[os.write(pipe, data) :]

    wanted = {name: request[name] for name in _WANTED}
    wanted["limits"] = DecodeLimits(**request["limits"])
    if request["stamps"]:
        read_on(clip, write, stamps=Stamps(**request["stamps"]), **wanted)
    else:
        read_clip(clip, write, **wanted)
    return {}


if __name__ == "__main__":
    main(stream_clip)
