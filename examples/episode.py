"""Teach actions of your own by a few clips of each, then ask which of them another clip shows.

    python examples/episode.py [FOLDER QUERY] [--server URL] [--key KEY]

FOLDER has a folder of clips for every action, named as that. Without one, clips of three motions
are drawn to try it with.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pointaction.client import Client, EpisodeState
from pointaction.synthetic.sample import write_sample


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("query", nargs="?", type=Path)
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--key", help="where the server asks for one")
    wish = parser.parse_args()
    with Client(wish.server, wish.key) as client:
        if wish.query:
            teach_and_ask(client, wish.folder, wish.query)
        else:
            with drawn() as (folder, query):
                teach_and_ask(client, folder, query)


def teach_and_ask(client: Client, folder: Path, query: Path) -> None:
    examples = {action.name: sorted(action.iterdir()) for action in sorted(folder.iterdir())}
    episode = client.create_episode(examples, name="my actions")
    episode.wait(progress=tell)  # the first question would wait too
    answer = episode.classify(query)
    for prediction in answer.predictions:
        print(f"{prediction.score:6.1%}  {prediction.label}")
    if answer.none_of_these:
        print("likely none of these")
    for near in answer.nearest[:3]:
        print(f"like {near.label}/{near.name}: {near.similarity:.2f}")
    episode.delete()  # else it lasts


def tell(episode: EpisodeState) -> None:
    print(f"{episode.state.ready} of {episode.state.total} examples are described")


@contextmanager
def drawn() -> Iterator[tuple[Path, Path]]:
    """A folder with two clips of each of three motions, and one to ask about."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for motion in ("moving left", "falling", "bouncing"):
            (folder / "support" / motion).mkdir(parents=True)
            for seed in range(2):
                write_sample(motion, folder / "support" / motion / f"{seed}.mp4", seed=seed)
        write_sample("falling", folder / "query.mp4", seed=2)
        yield folder / "support", folder / "query.mp4"


if __name__ == "__main__":
    main()
