"""Every hostile request is answered as it should be, leaves no file, and the next is answered."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import connection
from service.app import create_app
from service.settings import ServiceSettings
from tests.attacks.requests import GOOD, all_attacks, post
from tests.attacks.target import Target, status
from tests.conftest import RedisServers
from tests.service.doubles import PlayedWorker, eventually
from tests.service.serving import listening

_FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"


@pytest.fixture(scope="module")
def shared(
    running_redis: RedisServers, tmp_path_factory: pytest.TempPathFactory, model_store: Path
) -> Iterator[ServiceSettings]:
    """With a worker that answers at once, and little patience."""
    settings = ServiceSettings(
        data_dir=tmp_path_factory.mktemp("attacked"),
        model_store=model_store,
        default_model="tiny",
        broker_url=running_redis.broker_url,
        cache_url=running_redis.cache_url,
        submits_per_minute=0,
        reads_per_minute=0,
        max_upload_mb=10,
        open=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "HEAD_S", 0.5)
        patch.setattr(connection, "BODY_S", 0.5)
        yield settings


@pytest.fixture(scope="module")
def target(shared: ServiceSettings) -> Iterator[Target]:
    with PlayedWorker(shared) as worker, listening(create_app(shared, queue=worker)) as port:
        yield Target(port, shared.data_dir / "uploads")


ATTACKS = {attack.name: attack for attack in all_attacks()}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_request_does_no_harm(target: Target, name: str) -> None:
    attack = ATTACKS[name]
    answer = target.ask(attack.data)
    assert status(answer) in attack.expected, answer[:500]
    if status(answer) >= 400:
        document = json.loads(answer.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1 ")[0])
        assert document["status"] == status(answer)
        assert document["type"].endswith(attack.kind)
        assert re.search(rb"\r\nx-request-id: \w+\r\n", answer, re.IGNORECASE)
    assert b"root:" not in answer
    assert b"Set-Cookie" not in answer
    assert eventually(lambda: target.left() == [])
    assert status(target.ask(post(GOOD, _FORM))) == 200
