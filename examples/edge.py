"""Follow points on this device and send only where they went: no picture leaves it.

    python examples/edge.py [CLIP] [--server URL] [--key KEY]

What is sent is a `.tracks.npz`: positions, visibility, confidence and relative depth of a few
hundred points. The clip is not in it, and cannot be made of it.
"""

import argparse
from pathlib import Path

from pointaction.client import Client
from pointaction.pipeline import track_clip
from pointaction.tracks import Tracks
from pointaction.video.decode import decode

BUNDLED = Path(__file__).parent / "moving_left.mp4"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clip", nargs="?", type=Path, default=BUNDLED)
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--key", help="where the server asks for one")
    wish = parser.parse_args()
    tracks = follow(wish.clip)
    count, frames = tracks.visible.shape
    sent = len(tracks.to_bytes()) / 1024
    print(f"{count} points through {frames} frames: {sent:.0f} KiB are sent, and no picture")
    with Client(wish.server, wish.key) as client:
        answer = client.classify(tracks)
        print(f"{answer.best.label}, {answer.best.score:.0%}")


def follow(clip: Path) -> Tracks:
    """What a phone or a camera would do: 512 points, by Lucas-Kanade, without any weights."""
    return track_clip(decode(clip), tracks=512)


if __name__ == "__main__":
    main()
