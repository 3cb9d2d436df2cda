"""The API as its image has it: no torch, no OpenCV, no PyAV, and it takes a clip all the same."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.demo import BUNDLED
from tests.conftest import RedisServers
from tests.service.doubles import eventually

# What the extras of service.Dockerfile do not bring; `make containers` has an environment without.
PROGRAM = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "cv2", "av", "transformers", "safetensors", "httpx"}:
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
from pointaction.cli import main
sys.argv = ["pointaction", "serve"]
main()
"""


@pytest.fixture
def client(redis_servers: RedisServers, tmp_path: Path) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {
        "POINTACTION_DATA_DIR": str(tmp_path / "data"),
        "POINTACTION_BROKER_URL": redis_servers.broker_url,
        "POINTACTION_CACHE_URL": redis_servers.cache_url,
        "POINTACTION_PORT": str(port),
    }
    server = subprocess.Popen([sys.executable, "-c", PROGRAM], env=os.environ | own)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            assert eventually(lambda: lives(client), within_s=60)
            yield client
    finally:
        server.terminate()
        assert server.wait(timeout=30) == 0


def lives(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").is_success
    except httpx.HTTPError:
        return False


def test_the_api_takes_a_clip_without_the_library(client: httpx.Client) -> None:
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    failing = [name for name, said in ready.json()["checks"].items() if said != "ok"]
    assert failing == ["workers"]  # the one thing that it needs of those that have torch
    answer = client.post(
        "/classify", files={"clip": BUNDLED.read_bytes()}, headers={"Prefer": "wait=0"}
    )
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"
    assert client.get("/metrics").status_code == 200
