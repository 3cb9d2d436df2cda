"""The page in a real browser: Debian's Chromium, driven by Playwright.

Fixtures that tests here use:

`page`        a page of the real service (`stack`: embedded, with the shipped weights), still blank;
              go with `page.goto("/#/classify")`. It fails its test on a console error, on an
              uncaught exception, and on a request to anybody but the service.
`open_page`   more of them: `open_page(url=..., dark=True, width=360, camera=True)`. Without `url`
              it is of the real service; with `camera` it may use one, which plays a film of ours.
`faults`      what went wrong so far; `faults.expect("413")` before a test provokes such an error.
`played`      `played(max_upload_mb=1)`: a service with these settings (`url`) and a double of its
              worker (`worker`, of `tests/service/doubles.py`), which finishes jobs at once.
`accessible`  `accessible(page)`: axe-core finds nothing serious or critical on it as it is.

Tests take `Page` and `expect` from `tests.browser.driver`, which skips them where Playwright is
missing; where Chromium is, the fixtures do.
"""

import importlib.resources
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import av
import cv2
import pytest

from service.app import create_app
from service.demo import BUNDLED
from service.settings import ServiceSettings
from tests.conftest import Stack
from tests.service.conftest import model_store, settings
from tests.service.doubles import PlayedWorker
from tests.service.serving import listening

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["model_store", "settings"]  # fixtures of the service, for `played`

_CHROMIUM = shutil.which("chromium")
_QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]


class OpenPage(Protocol):
    def __call__(
        self,
        *,
        url: str | None = None,
        dark: bool = False,
        width: int = 1280,
        camera: bool = False,
    ) -> "Page": ...


@dataclass
class Faults:
    """What went wrong on the pages of one test."""

    seen: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, *parts: str) -> None:
        """What has one of these texts in it is what the test is about."""
        self.expected += parts

    @property
    def unexpected(self) -> list[str]:
        return [fault for fault in self.seen if not any(part in fault for part in self.expected)]


@dataclass(frozen=True)
class Played:
    url: str
    worker: PlayedWorker


class Play(Protocol):
    def __call__(self, **changes: Any) -> Played: ...


# Ended with the last of these tests: Playwright has an event loop run in its thread.
@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Browser"]:
    """Headless Chromium whose camera films the bundled clip."""
    if _CHROMIUM is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    from tests.browser.driver import sync_playwright

    film = _as_mjpeg(BUNDLED, tmp_path_factory.mktemp("camera") / "film.mjpeg")
    camera = [
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, args=[*_QUIET, *camera])
        yield browser
        browser.close()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def played(settings: ServiceSettings) -> Iterator[Play]:
    with ExitStack() as running:

        def play(**changes: Any) -> Played:
            chosen = settings.model_copy(update=changes)
            worker = running.enter_context(PlayedWorker(chosen))
            port = running.enter_context(listening(create_app(chosen, queue=worker)))
            return Played(f"http://127.0.0.1:{port}", worker)

        yield play


@pytest.fixture
def open_page(
    browser: "Browser",
    faults: Faults,
    played: Play,  # so that its services outlive the pages
    request: pytest.FixtureRequest,
) -> Iterator[OpenPage]:
    with ExitStack() as contexts:

        def open(
            *,
            url: str | None = None,
            dark: bool = False,
            width: int = 1280,
            camera: bool = False,
        ) -> "Page":
            if url is None:
                stack: Stack = request.getfixturevalue("stack")
                url = str(stack.client.base_url).rstrip("/")
            context = browser.new_context(
                base_url=url,
                color_scheme="dark" if dark else "light",
                viewport={"width": width, "height": 800},
                permissions=["camera"] if camera else [],
            )
            contexts.callback(context.close)
            page = context.new_page()
            _watch(page, url, faults)
            return page

        yield open
    assert faults.unexpected == []


@pytest.fixture
def page(open_page: OpenPage) -> "Page":
    return open_page()


@pytest.fixture
def accessible() -> Callable[["Page"], None]:
    script = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text()

    def check(page: "Page") -> None:
        page.evaluate(script)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        grave = [
            f"{fault['id']}: {node['html']} {node['failureSummary']}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]
        assert grave == []

    return check


def _watch(page: "Page", url: str, faults: Faults) -> None:
    ours = (f"{url}/", "blob:", "data:")
    page.on(
        "console",
        lambda said: faults.seen.append(f"console: {said.text}") if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: faults.seen.append(f"uncaught: {error}"))
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(ours) else faults.seen.append(f"outside: {asked.url}")
        ),
    )


def _as_mjpeg(clip: Path, path: Path) -> Path:
    """The clip as Chromium's pretended camera reads it: one JPEG after the other."""
    with av.open(str(clip)) as source, path.open("wb") as film:
        for frame in source.decode(video=0):
            film.write(cv2.imencode(".jpg", frame.to_ndarray(format="bgr24"))[1].tobytes())
    return path
