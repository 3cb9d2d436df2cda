import hashlib
import re
from base64 import b64encode

import pytest
from starlette.testclient import TestClient

from tests.service.requests import send

EVERYWHERE = [
    *("/", "/web/main.js", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json"),
    *("/models", "/metrics", "/health/live", "/nowhere", "/jobs/nobody"),
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_says_what_browsers_may_do_with_it(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


def test_so_does_a_refusal(client: TestClient) -> None:
    wrong = client.get("/models", headers={"X-API-Key": "wrong"})
    too_large = client.post("/classify", content=b"", headers={"Content-Length": "9" * 20})
    assert [wrong.status_code, too_large.status_code] == [401, 413]
    for answer in (wrong, too_large):
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_other_site_may_read_an_answer(client: TestClient, method: str) -> None:
    job = send(client).json()["job"]
    elsewhere = {"Origin": "https://evil.example"}
    asked = client.request(method, f"/jobs/{job}", headers=elsewhere)
    may_it = {"Access-Control-Request-Method": method}
    preflight = client.options(f"/jobs/{job}", headers=elsewhere | may_it)
    assert preflight.status_code == 405
    for answer in (asked, preflight):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_run_nothing_but_what_their_policy_names(client: TestClient, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    scripts = re.search("script-src ([^;]*)", policy)
    assert scripts is not None
    inline = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    allowed = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inline]
    assert scripts[1].split() == ["'self'", *(f"'sha256-{digest}'" for digest in allowed)]
    assert len(inline) == (path == "/docs")
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", answer.text) == []
    for named in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert named.startswith(("/", "data:"))
