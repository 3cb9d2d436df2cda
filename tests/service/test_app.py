import os
import subprocess
import sys
import time

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.service.doubles import eventually


def test_the_web_process_loads_neither_torch_nor_a_decoder() -> None:
    program = (
        "import sys, service.app, service.launch, service.openapi\n"
        "print(sorted({'torch', 'cv2', 'av', 'transformers'} & sys.modules.keys()))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_what_a_killed_process_left_is_cleared_while_another_runs(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.app._ABANDONED_AFTER_S", 0.5)
    with TestClient(create_app(settings)):
        left = settings.data_dir / "uploads" / "left.part"
        left.write_bytes(b"half of a clip")
        assert eventually(lambda: not left.exists())
        underway = left.with_name("underway.part")
        underway.write_bytes(b"half of another")
        os.utime(underway, (time.time() + 60, time.time() + 60))  # still being written to
        assert not eventually(lambda: not underway.exists(), within_s=1.2)
