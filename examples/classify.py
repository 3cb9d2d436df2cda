"""Say what is being done in clips, with a server that runs: `make serve` starts one.

python examples/classify.py [CLIP ...] [--server URL] [--key KEY] [--draw]
"""

import argparse
from pathlib import Path

from pointaction.client import Client, JobState
from pointaction.errors import PointActionError

BUNDLED = Path(__file__).parent / "moving_left.mp4"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="*", type=Path, default=[BUNDLED])
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--key", help="where the server asks for one")
    parser.add_argument("--draw", action="store_true", help="write CLIP.overlay.mp4 beside it")
    wish = parser.parse_args()
    with Client(wish.server, wish.key) as client:
        for clip in wish.clips:
            print(clip.name)
            try:
                show(client, clip, draw=wish.draw)
            except PointActionError as error:  # one bad file does not stop the rest
                print(f"  {error}")


def show(client: Client, clip: Path, *, draw: bool) -> None:
    answer = client.classify(clip, top_k=3, progress=tell)
    for prediction in answer.predictions:
        print(f"  {prediction.score:6.1%}  {prediction.label}")
    if answer.none_of_these:
        print("  likely none of these")
    print(f"  by {answer.model.name} {answer.model.version}, {answer.model.licence}")
    if draw:
        answer.job.save_overlay(clip.with_suffix(".overlay.mp4"))


def tell(job: JobState) -> None:
    print(f"  {job.state:<9}  {job.stage or '':<8}  {job.progress:4.0%}")


if __name__ == "__main__":
    main()
