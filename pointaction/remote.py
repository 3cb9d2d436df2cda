"""A PointAction server, over HTTP."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from pointaction.errors import InputError, PointActionError

Example = tuple[str, Path]  # label, and the clip or tracks file

_PATIENCE_S = 600.0


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
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.url = url
        self.model = model
        # A tracks file has its own.
        self.of_clips = {"points": points, "tracker": tracker, "depth": depth}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=90.0)

    def classify(self, path: Path, *, top_k: int) -> dict[str, Any]:
        """The server's answer for a clip or a `.tracks.npz`; raises PointActionError."""
        asked = {"model": self.model} | ({} if _holds_tracks(path) else self.of_clips)
        return self._question("/classify", path, asked, top_k=top_k)

    def match(self, episode: str, path: Path, *, top_k: int) -> dict[str, Any]:
        """The same, of an episode's classes."""
        return self._question(f"/episodes/{episode}/classify", path, {}, top_k=top_k)

    def create_episode(
        self, examples: Sequence[Example], *, name: str = "", head: str | None = None
    ) -> dict[str, Any]:
        """Teach actions; the episode, whose examples are pending still."""
        asked = {"name": name, "head": head, "model": self.model, **self.of_clips}
        return self._send_examples("/episodes", examples, asked)

    def add_examples(self, episode: str, examples: Sequence[Example]) -> dict[str, Any]:
        """Teach more; the episode with them."""
        return self._send_examples(f"/episodes/{episode}/support", examples, {})

    def episodes(self) -> list[dict[str, Any]]:
        """Those that this key has made, the newest first."""
        return list(self._ask("GET", "/episodes").json())

    def episode(self, episode: str) -> dict[str, Any]:
        """One of them."""
        return dict(self._ask("GET", f"/episodes/{episode}").json())

    def delete_episode(self, episode: str) -> None:
        """Forget it and its examples."""
        self._ask("DELETE", f"/episodes/{episode}")

    def draw(self, path: Path, answer: dict[str, Any], target: Path) -> None:
        """Fetch the drawing of an answered clip; `.png` gives a contact sheet, else mp4."""
        form = "png" if target.suffix == ".png" else "mp4"
        target.write_bytes(self._fetch(f"/jobs/{answer['job']}/overlay", {"format": form}))

    def save_attention(self, answer: dict[str, Any], target: Path) -> None:
        """Fetch the attention of an answered clip with its tracks, as npz."""
        headers = {"Accept": "application/x-npz"}
        weights = self._ask("GET", f"/jobs/{answer['job']}/attention", headers=headers)
        target.write_bytes(weights.content)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _question(
        self, where: str, path: Path, asked: Mapping[str, str | None], *, top_k: int
    ) -> dict[str, Any]:
        if not path.is_file():
            raise InputError(f"there is no file {path.name!r}", kind="no-such-file")
        part = "tracks" if _holds_tracks(path) else "clip"
        with path.open("rb") as file:
            answer = self._ask(
                "POST",
                where,
                data={"top_k": str(top_k)} | _given(asked),
                files={part: (path.name, file)},
                headers={"Prefer": "wait=30"},
            )
        return self._finished(answer) if answer.status_code == 202 else dict(answer.json())

    def _send_examples(
        self, where: str, examples: Sequence[Example], asked: Mapping[str, str | None]
    ) -> dict[str, Any]:
        labels = [label for label, _ in examples]
        with ExitStack() as stack:
            files = [
                ("support", (path.name, stack.enter_context(path.open("rb"))))
                for _, path in examples
            ]
            data = {**_given(asked), "labels": labels}
            return dict(self._ask("POST", where, data=data, files=files).json())

    def _finished(self, accepted: httpx.Response) -> dict[str, Any]:
        """Ask until the job is done; its result, or its problem as an error."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            time.sleep(float(accepted.headers.get("Retry-After", 1)))
            job = self._ask("GET", accepted.headers["Location"]).json()
            if job["state"] == "succeeded":
                return dict(job["result"])
            if job["state"] in ("failed", "cancelled"):
                problem = job.get("problem") or {"detail": f"the job was {job['state']}"}
                raise InputError(str(problem["detail"]))
        raise PointActionError(f"no answer in {_PATIENCE_S:.0f} s; is the queue long?")

    def _fetch(self, path: str, params: dict[str, str]) -> bytes:
        end = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._ask("GET", path, params=params)
            if answer.status_code == 200 or time.monotonic() > end:
                return answer.content
            time.sleep(float(answer.headers.get("Retry-After", 1)))

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer; what is refused for coming too soon is asked again when the server says."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._ask_once(method, path, **request)
            wait_s = float(answer.headers.get("Retry-After", _PATIENCE_S))
            if answer.status_code != 429 or time.monotonic() + wait_s > end:
                break
            time.sleep(wait_s)
        if answer.is_error:
            raise _as_error(answer)
        return answer

    def _ask_once(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self.client.request(method, path, **request)
        except httpx.ConnectError as error:
            raise PointActionError(
                f"no server at {self.url}; start one with `pointaction serve`, or add --local"
            ) from error
        except httpx.HTTPError as error:
            raise PointActionError(f"the server at {self.url} did not answer: {error}") from error


def _given(asked: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value}


def _holds_tracks(path: Path) -> bool:
    return path.suffix == ".npz"


def _as_error(answer: httpx.Response) -> PointActionError:
    """The server's problem (RFC 9457) in our own words for it."""
    try:
        problem = answer.json()
        detail = problem.get("detail") or problem["title"]
    except (ValueError, KeyError):
        return PointActionError(f"the server answered {answer.status_code}: {answer.text[:200]}")
    kind = str(problem.get("type", "")).rsplit(":", 1)[-1]
    return InputError(detail, kind=kind, limit=problem.get("limit"), value=problem.get("value"))
