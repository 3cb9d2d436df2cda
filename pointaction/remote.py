"""A PointAction server that answers the commands as this process does: see `LocalService`."""

from pathlib import Path
from typing import Any

from pointaction.client import Client
from pointaction.client.conversation import SeenBy


class RemoteService:
    """A server, asked one clip at a time."""

    def __init__(
        self,
        url: str,
        model: str | None,
        *,
        points: str | None = None,
        tracker: str | None = None,
        depth: str | None = None,
        api_key: str | None = None,
    ) -> None:
        self.client = Client(url, api_key)
        self.model = model
        self.of_clips: SeenBy = {"points": points, "tracker": tracker, "depth": depth}

    def classify(self, path: Path, *, top_k: int) -> dict[str, Any]:
        """The answer for a clip or a `.tracks.npz`; raises PointActionError."""
        # A tracks file has points, tracker and depth of its own.
        of_clips: SeenBy = {} if path.suffix == ".npz" else self.of_clips
        asked: SeenBy = {"model": self.model, **of_clips}
        answer = self.client.classify(path, top_k=top_k, **asked)
        return dict(answer.document)

    def draw(self, path: Path, answer: dict[str, Any], target: Path) -> None:
        """Fetch the drawing of an answered clip; `.png` gives a contact sheet, else mp4."""
        self.client.job(answer["job"]).save_overlay(target)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
