import re

import pytest
from starlette.testclient import TestClient


def test_the_page_may_ask_nobody_but_us(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/", "/web/app.js", "/web/style.css"])
def test_nothing_on_the_page_comes_from_elsewhere(client: TestClient, path: str) -> None:
    assert re.findall(r"(?:https?:)?//[a-z]", client.get(path).text) == []


def test_all_that_the_page_names_is_there(client: TestClient) -> None:
    named = re.findall(r'(?:href|src)="(/[^"]*)"', client.get("/").text)
    assert {"/web/app.js", "/web/style.css", "/docs"} <= set(named)
    for path in named:
        assert client.get(path).status_code == 200


def test_the_script_finds_every_part_that_it_names(client: TestClient) -> None:
    script, page = client.get("/web/app.js").text, client.get("/").text
    assert set(re.findall(r'\$\("([a-z-]+)"\)', script)) <= set(re.findall(r'id="([a-z-]+)"', page))
