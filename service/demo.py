"""`make demo`: the whole service from nothing to an answer, and back to nothing."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from pointaction.client import Client
from pointaction.errors import PointActionError
from pointaction.terminal import out, plain, show_predictions

BUNDLED = Path(__file__).resolve().parents[1] / "examples" / "moving_left.mp4"
_START_S = 60.0


def run(clip: Path | None, output: Path) -> None:
    """Start the embedded stack, send `clip` to POST /classify, print what came, stop."""
    path = clip or BUNDLED
    if not path.is_file():
        raise PointActionError(f"there is no clip {path}; make demo CLIP=path.mp4")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pointaction-") as data_dir:
        out.print("starting Redis, a worker and the API ...", style="dim")
        with (
            serving(Path(data_dir), output / "serve.log") as (url, _),
            Client(url) as client,
        ):
            _show(client, path, output)
    out.print("stopped everything", style="dim")


@contextmanager
def serving(data_dir: Path, log: Path) -> Iterator[tuple[str, int]]:
    """`pointaction serve` in a process of its own, ready to answer: its URL and process id."""
    port = _free_port()
    command = [sys.executable, "-m", "pointaction", "serve", "--port", str(port)]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*command, "--data-dir", str(data_dir)],
            stdout=stream,
            stderr=stream,
            env=os.environ | {"POINTACTION_LOG_FORMAT": "json"},
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_ready(server, url, log)
            yield url, server.pid
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)


def _show(client: Client, path: Path, output: Path) -> None:
    answer = client.classify(path, top_k=5)
    model = answer.model
    out.print(f"\n[bold]{plain(path.name)}[/]  by {model.name} {model.version}\n")
    show_predictions(dict(answer.document))
    spent = "  ".join(f"{stage} {ms:.0f}" for stage, ms in answer.timings_ms.items())
    out.print(f"\n  ms per stage: {spent}")
    for name in ("overlay.mp4", "overlay.png"):
        answer.job.save_overlay(output / name)
        out.print(f"  {output / name}")
    answer.job.attention().save(output / "attention.npz")
    out.print(f"  {output / 'attention.npz'}")


def _wait_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/health/ready", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise PointActionError(f"the stack did not start; {log} says why")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
