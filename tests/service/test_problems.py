import ast
import errno
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from redis.exceptions import ResponseError
from starlette.testclient import TestClient

from service.problems import KINDS, describe, install, respond

ROOT = Path(__file__).resolve().parents[2]
RAISES = re.compile(r"(Refused|Problem|describe|.*Error|UnsupportedClip|.*Exceeded|.*Failure)$")


def documented() -> dict[str, tuple[int, str]]:
    """Kind -> (status, title) from the table of docs/problems.md."""
    text = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| ([^|]+) \|", text, re.MULTILINE)
    return {kind: (int(status), title.strip()) for kind, status, title in rows}


def test_the_documentation_has_the_same_table() -> None:
    assert documented() == {name: (kind.status, kind.title) for name, kind in KINDS.items()}


def kinds_raised(path: Path) -> set[str]:
    """Kinds that a module names where it makes an error or a problem."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            name = node.func.attr if isinstance(node.func, ast.Attribute) else name
            given = [word.value for word in node.keywords if word.arg == "kind"]
            given += node.args[:1] if name in ("Refused", "describe") else []
            constants = [value for value in given if isinstance(value, ast.Constant)]
            if RAISES.match(name):
                kinds |= {str(constant.value) for constant in constants}
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            named = isinstance(target, ast.Name) and target.id == "default_kind"
            if named and isinstance(node.value, ast.Constant):
                kinds.add(str(node.value.value))
    return kinds


@pytest.mark.parametrize("package", ["pointaction", "workers", "service"])
def test_every_kind_that_is_raised_has_a_status(package: str) -> None:
    modules = set((ROOT / package).rglob("*.py"))
    modules -= set((ROOT / "pointaction" / "client").rglob("*.py"))  # no service raises its kinds
    raised = set().union(*map(kinds_raised, modules))
    assert raised - KINDS.keys() == set()


def test_only_members_with_a_value_are_shown() -> None:
    assert describe("empty-file", "no bytes", value=0) == {
        "type": "urn:pointaction:problem:empty-file",
        "title": "The file is empty",
        "status": 422,
        "detail": "no bytes",
        "value": 0,
    }


def test_a_problem_that_passes_says_when_to_come_back() -> None:
    assert "retry-after" in respond(describe("queue-down", "away")).headers
    assert "retry-after" not in respond(describe("empty-file", "no bytes")).headers


def test_a_kind_that_nobody_knows_is_a_fault_of_ours() -> None:
    assert describe("never-heard-of", "?")["status"] == 500


def test_a_full_disk_is_a_reason_to_come_back_and_other_faults_of_files_are_ours() -> None:
    app = FastAPI()
    install(app)

    @app.get("/{number}")
    def fail(number: int) -> None:
        raise OSError(number, "of the system")

    client = TestClient(app)
    full = client.get(f"/{errno.ENOSPC}")
    assert (full.status_code, full.headers["Retry-After"]) == (503, "5")
    assert full.json()["checks"] == {"blobs": "has no room left"}
    with pytest.raises(OSError, match="of the system"):
        client.get(f"/{errno.EACCES}")


def test_a_redis_that_cannot_write_its_file_is_a_queue_that_is_down() -> None:
    app = FastAPI()
    install(app)

    @app.get("/{said}")
    def fail(said: str) -> None:
        raise ResponseError(f"{said} of Redis")

    client = TestClient(app)
    refused = client.get("/MISCONF")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["type"].endswith(":queue-down")
    with pytest.raises(ResponseError, match="WRONGTYPE of Redis"):
        client.get("/WRONGTYPE")
