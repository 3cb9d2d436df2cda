"""The page as files: what it names, what it may do, how large it is. tests/browser opens it."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pointaction.synthetic.gallery import PIECES

WEB = Path(__file__).resolve().parents[2] / "service" / "web"
CODE = sorted(path for path in WEB.iterdir() if path.suffix in {".html", ".js", ".css"})
MAX_BYTES = 150_000  # of all of them, uncompressed
MAX_SAMPLE_BYTES = 150_000


def test_the_page_may_ask_nobody_but_us(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_nothing_on_the_page_comes_from_elsewhere(path: Path) -> None:
    assert re.findall(r"(?:https?:)?//[a-z]", path.read_text()) == []


def test_all_that_the_page_names_is_there(client: TestClient) -> None:
    named = re.findall(r'(?:href|src)="(/[^"]*)"', client.get("/").text)
    assert {"/web/main.js", "/web/style.css", "/docs"} <= set(named)
    for path in named:
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", [each for each in CODE if each.suffix == ".js"], ids=lambda p: p.name
)
def test_every_module_and_sample_that_a_module_names_is_there(path: Path) -> None:
    text = path.read_text()
    modules = re.findall(r"""(?:from|import\()\s*["']\./([\w.-]+)["']""", text)
    samples = re.findall(r"/web/(samples/[\w.-]+)", text)
    assert [name for name in modules + samples if not (WEB / name).is_file()] == []


def test_the_page_is_asked_for_anew_so_that_no_two_releases_mix(client: TestClient) -> None:
    for path in ("/", "/web/main.js"):
        first = client.get(path)
        assert first.headers["cache-control"] == "no-cache"
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == (304 if path.startswith("/web/") else 200)


def test_markup_is_never_made_of_text() -> None:
    for path in CODE:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", path.read_text()
        )


def test_the_page_is_small() -> None:
    assert sum(path.stat().st_size for path in CODE) <= MAX_BYTES


def test_samples_are_small_and_all_there() -> None:
    for piece in PIECES:
        clip = WEB / "samples" / f"{piece.name}.mp4"
        assert clip.stat().st_size <= MAX_SAMPLE_BYTES
        assert clip.with_suffix(".jpg").is_file()
