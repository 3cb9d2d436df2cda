"""Either client, against a server that follows a script and against the real service."""

from collections.abc import Iterator

import pytest

from pointaction.client import Client
from service.app import create_app
from service.settings import ServiceSettings
from tests.pointaction.client.both import opened
from tests.pointaction.client.scripted import Scripted, scripted
from tests.service.conftest import model_store, settings, worker
from tests.service.doubles import PlayedWorker
from tests.service.serving import listening

__all__ = ["model_store", "settings", "worker"]  # fixtures of the service's tests


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def asking(kind: str, server: Scripted) -> Iterator[Client]:
    """A client of the scripted server."""
    with opened(kind, server.url, key="secret", patience_s=20) as client:
        yield client


@pytest.fixture
def client(kind: str, settings: ServiceSettings, worker: PlayedWorker) -> Iterator[Client]:
    """A client of the real service, behind which a worker is played."""
    app = create_app(settings, queue=worker)
    with listening(app) as port, opened(kind, f"http://127.0.0.1:{port}", patience_s=20) as client:
        yield client
