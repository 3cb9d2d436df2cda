"""Every hostile file is refused for what it is, or read as no more than that."""

import socket
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from benchmarks.fuzz import Seeds, judge
from pointaction.errors import PointActionError
from pointaction.video.decode import decode
from service.settings import ServiceSettings
from tests.attacks.files import ACCEPTED, Attack, all_attacks
from tests.service.requests import problem

NAMES = [attack.name for attack in all_attacks("")]


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_does_no_harm(
    client: TestClient,
    settings: ServiceSettings,
    seeds: Seeds,
    bait: socket.socket,
    tmp_path: Path,
    name: str,
) -> None:
    address = f"http://127.0.0.1:{bait.getsockname()[1]}/bait"
    attack = next(each for each in all_attacks(address) if each.name == name)
    data = attack.make(seeds, address)
    started = time.monotonic()
    assert verdict(client, attack, data, tmp_path / "file") in attack.expected
    assert time.monotonic() - started < 30
    assert list((settings.data_dir / "uploads").iterdir()) == []


def verdict(client: TestClient, attack: Attack, data: bytes, path: Path) -> str:
    """What the service says of it, and then what its worker's decoder does."""
    answer = client.post("/classify", files={attack.field: ("x", data)})
    if answer.status_code != 200:  # 200 is of a played worker, which looks at nothing
        return str(problem(answer)["kind"])
    if attack.field == "clip":
        path.write_bytes(data)
        try:
            decode(path, frames=8, short_side=64)
        except PointActionError as error:
            return judge(error)
    return ACCEPTED
