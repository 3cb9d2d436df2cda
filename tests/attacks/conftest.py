"""Good files to start from, somebody who must not be called, and a service to attack."""

import socket
from collections.abc import Iterator

import pytest

from benchmarks.fuzz import Seeds, make_seeds
from service.settings import ServiceSettings
from tests.service.conftest import client, model_store, worker
from tests.service.conftest import settings as small_settings

__all__ = ["client", "model_store", "small_settings", "worker"]


@pytest.fixture
def settings(small_settings: ServiceSettings) -> ServiceSettings:
    """Files may be large enough to do harm."""
    return small_settings.model_copy(update={"max_upload_mb": 16})


@pytest.fixture(scope="session")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="session")
def bait() -> Iterator[socket.socket]:
    """It listens, and asks at the end whether it was called."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
