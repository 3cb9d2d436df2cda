"""Classify on a PointAction server, over HTTP."""

import time
from pathlib import Path
from typing import Any

import httpx

from pointaction.errors import InputError, PointActionError

_PATIENCE_S = 600.0


class RemoteService:
    """A server, asked one clip at a time."""

    def __init__(
        self,
        url: str,
        model: str | None,
        *,
        tracker: str | None = None,
        depth: str | None = None,
        api_key: str | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.url = url
        self.model = model
        self.of_clips = {"tracker": tracker, "depth": depth}  # a tracks file has its own
        self.client = httpx.Client(base_url=url, headers=headers, timeout=90.0)

    def classify(self, path: Path, *, top_k: int) -> dict[str, Any]:
        """The server's answer for a clip or a `.tracks.npz`; raises PointActionError."""
        if not path.is_file():
            raise InputError(f"there is no file {path.name!r}", kind="no-such-file")
        part = "tracks" if path.suffix == ".npz" else "clip"
        asked = {"model": self.model} | (self.of_clips if part == "clip" else {})
        fields = {"top_k": str(top_k)} | {name: value for name, value in asked.items() if value}
        with path.open("rb") as file:
            answer = self._ask(
                "POST",
                "/classify",
                data=fields,
                files={part: (path.name, file)},
                headers={"Prefer": "wait=30"},
            )
        return self._finished(answer) if answer.status_code == 202 else dict(answer.json())

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
        try:
            answer = self.client.request(method, path, **request)
        except httpx.ConnectError as error:
            raise PointActionError(
                f"no server at {self.url}; start one with `pointaction serve`, or add --local"
            ) from error
        except httpx.HTTPError as error:
            raise PointActionError(f"the server at {self.url} did not answer: {error}") from error
        if answer.is_error:
            raise _as_error(answer)
        return answer


def _as_error(answer: httpx.Response) -> PointActionError:
    """The server's problem (RFC 9457) in our own words for it."""
    try:
        problem = answer.json()
        detail = problem.get("detail") or problem["title"]
    except (ValueError, KeyError):
        return PointActionError(f"the server answered {answer.status_code}: {answer.text[:200]}")
    kind = str(problem.get("type", "")).rsplit(":", 1)[-1]
    return InputError(detail, kind=kind, limit=problem.get("limit"), value=problem.get("value"))
