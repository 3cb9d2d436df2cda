"""Classify, from the first look at the page to the permanent link, by hand, key and camera."""

import base64
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from pointaction.tracks import Tracks
from service.demo import BUNDLED
from tests.browser.conftest import Faults, OpenPage, Play
from tests.browser.driver import Page, expect
from workers.jobs import Problem

Accessible = Callable[[Page], None]

DROP = """async ([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const drop = document.querySelector(".drop");
  drop.dispatchEvent(new DragEvent("dragover", { dataTransfer, bubbles: true, cancelable: true }));
  drop.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""
PAINTED = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let i = 0; i < data.length; i += 4) painted += data[i] + data[i + 1] + data[i + 2] > 0;
  return painted;
}"""


def classify(page: Page, path: Path = BUNDLED) -> None:
    """Send a clip by the file button and wait for its result."""
    page.goto("/#/classify")
    page.set_input_files("input[type=file]", str(path))
    expect(page.locator(".verdict")).to_be_visible()
    expect(page.locator(".stage canvas")).to_be_visible()


def drop(page: Page, name: str, data: bytes, media_type: str = "video/mp4") -> None:
    expect(page.locator(".drop")).to_be_visible()
    page.evaluate(DROP, [name, media_type, base64.b64encode(data).decode()])


def test_a_sample_is_named_and_can_be_looked_at_again_by_its_address(
    page: Page, open_page: OpenPage
) -> None:
    page.goto("/")
    page.get_by_role("button", name="jumping jacks").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("doing jumping jacks")
    assert "/#/classify/" in page.url
    assert page.locator(".bars").first.locator("li").count() == 5
    facts = page.locator(".facts").first
    expect(facts).to_contain_text("lucas-kanade")
    expect(facts).to_contain_text("Apache-2.0")
    assert page.get_by_label("Link to this job").input_value() == page.url

    again = open_page()
    again.goto(page.url)
    expect(again.get_by_role("heading", level=1)).to_have_text("doing jumping jacks")
    expect(again.locator(".stage canvas")).to_be_visible()
    again.wait_for_function("() => document.querySelector('.stage video')?.videoWidth > 0")
    assert again.locator(".stage-note").is_hidden()


def test_heads_trail_and_video_have_switches(page: Page) -> None:
    classify(page)
    page.get_by_role("button", name="Pause").click()
    canvas = page.locator(".stage canvas")
    with_trail = canvas.evaluate(PAINTED)
    assert with_trail > 0
    page.get_by_label("Trail").fill("0")
    assert 0 < canvas.evaluate(PAINTED) <= with_trail
    before = canvas.evaluate("(canvas) => canvas.toDataURL()")
    page.get_by_role("button", name="Head 2").click()
    expect(page.get_by_role("button", name="Head 2")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="All heads")).to_have_attribute("aria-pressed", "false")
    assert canvas.evaluate("(canvas) => canvas.toDataURL()") != before
    page.get_by_label("Hide the video").check()
    expect(canvas).to_have_css("background-color", "rgb(0, 0, 0)")


def test_keys_go_through_the_tracks_from_the_heaviest_and_say_their_weights(page: Page) -> None:
    classify(page)
    page.get_by_role("button", name="Pause").click()
    canvas, tip, voice = (page.locator(name) for name in (".stage canvas", ".tip", "#voice"))
    canvas.press("ArrowRight")
    expect(tip).to_contain_text("number 1 of 512")
    assert voice.inner_text() == tip.inner_text()
    canvas.press("ArrowRight")
    expect(tip).to_contain_text("number 2 of 512")
    canvas.press("Escape")
    expect(tip).to_be_hidden()
    canvas.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_track_under_the_pointer_tells_its_weight(page: Page) -> None:
    classify(page)
    page.get_by_role("button", name="Pause").click()
    canvas = page.locator(".stage canvas")
    box = canvas.bounding_box()
    assert box is not None
    for x in np.linspace(0.05, 0.95, 30):  # 512 points: no row of the picture is empty
        page.mouse.move(box["x"] + x * box["width"], box["y"] + box["height"] / 2)
        if page.locator(".tip").is_visible():
            break
    expect(page.locator(".tip")).to_contain_text("of the attention")
    page.mouse.move(0, 0)
    expect(page.locator(".tip")).to_be_hidden()


def test_tracks_and_drawings_can_be_taken_along(page: Page) -> None:
    classify(page)
    with page.expect_download() as taken:
        page.get_by_role("button", name="Tracks").click()
    assert len(Tracks.load(taken.value.path()).times) == 32
    with page.expect_download() as taken:
        page.get_by_role("button", name="Attention").click()
    assert np.load(taken.value.path())["weights"].shape == (4, 512)
    page.get_by_role("button", name="Head 1").click()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Overlay sheet").click()
    assert taken.value.suggested_filename.endswith("-0.png")
    assert Path(taken.value.path()).read_bytes().startswith(b"\x89PNG")


def test_tracks_that_are_dropped_are_drawn_on_black(page: Page) -> None:
    x = np.linspace(10, 50, 8, dtype=np.float32)
    xy = np.stack([np.stack([x, np.full(8, 8 * row)], -1) for row in range(1, 7)])
    tracks = Tracks(
        xy=xy.astype(np.float32),
        visible=np.ones((6, 8), np.bool_),
        confidence=np.ones((6, 8), np.float32),
        query=np.zeros((6, 3), np.float32),
        size=(64, 64),
        times=np.arange(8) / 8,
    )
    page.goto("/#/classify")
    drop(page, "six.tracks.npz", tracks.to_bytes(), "application/x-npz")
    expect(page.locator(".stage-note")).to_contain_text("tracks alone")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".facts").first).not_to_contain_text("Tracker")


@pytest.mark.timeout(60)
def test_the_camera_records_a_clip_that_is_classified(open_page: OpenPage) -> None:
    page = open_page(camera=True)
    page.goto("/#/classify")
    page.get_by_role("button", name="Record with the camera").click()
    page.get_by_role("button", name="Record 3 seconds").click()
    expect(page.locator(".count")).to_have_text("3")
    page.get_by_role("button", name="Use this clip").click()
    expect(page.locator(".bars").first.locator("li")).to_have_count(5)
    page.wait_for_function("() => document.querySelector('.stage video')?.currentTime > 0.5")


def test_who_refuses_the_camera_is_told_what_to_do(page: Page) -> None:
    page.goto("/#/classify")
    page.get_by_role("button", name="Record with the camera").click()
    expect(page.get_by_role("alert")).to_contain_text("permission was refused")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Record with the camera")).to_be_focused()


def test_what_is_no_video_is_refused_in_words_and_its_name_stays_text(
    page: Page, faults: Faults
) -> None:
    faults.expect("415")
    page.goto("/#/classify")
    drop(page, "<img src=x onerror=alert(1)>.mp4", b"no video at all" * 10)
    expect(page.get_by_role("alert")).to_contain_text("does not begin as a video does")
    expect(page.get_by_role("heading", level=2)).to_have_text("<img src=x onerror=alert(1)>.mp4")
    expect(page.locator(".drop")).to_be_visible()


def test_labels_stay_text(page: Page) -> None:
    page.goto("/")
    label = "<img src=x onerror=alert(1)>"
    made = page.evaluate(
        """async (label) => {
          const { bars } = await import("/web/bars.js");
          const list = bars([{ label, score: 0.5 }]);
          return [list.querySelector("img"), list.querySelector(".label").textContent];
        }""",
        label,
    )
    assert made == [None, label]


def test_too_large_a_file_is_refused_with_the_limit(
    open_page: OpenPage, played: Play, faults: Faults
) -> None:
    faults.expect("413", "ERR_CONNECTION_RESET")  # the server may hang up before it is heard
    page = open_page(url=played(max_upload_mb=0.01).url)
    page.goto("/#/classify")
    drop(page, "long.mp4", BUNDLED.read_bytes())
    expect(page.get_by_role("alert")).to_contain_text("shorter or smaller clip")


def test_a_job_that_fails_says_why_and_can_be_tried_again(
    open_page: OpenPage, played: Play
) -> None:
    service = played()
    service.worker.problem = Problem(kind="too-few-frames", detail="the clip has 1 frame")
    page = open_page(url=service.url)
    page.goto("/#/classify")
    drop(page, "a.mp4", BUNDLED.read_bytes())
    expect(page.get_by_role("alert")).to_contain_text("The clip has 1 frame.")
    service.worker.problem = None
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("moving left")


def test_a_job_that_waits_can_be_cancelled(open_page: OpenPage, played: Play) -> None:
    service = played()
    service.worker.gate.clear()
    page = open_page(url=service.url)
    page.goto("/#/classify")
    drop(page, "a.mp4", BUNDLED.read_bytes())
    expect(page.locator(".stage-words")).to_contain_text("Waiting in the queue")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("Cancelled")


def test_a_key_is_asked_for_and_then_sent(
    open_page: OpenPage, played: Play, faults: Faults
) -> None:
    faults.expect("401")
    page = open_page(url=played(api_keys=SecretStr("sesame"), open=False).url)
    page.goto("/#/classify")
    field = page.get_by_label("Key for this server")
    expect(field).to_be_focused()
    field.fill("sesame")
    field.press("Enter")
    drop(page, "a.mp4", BUNDLED.read_bytes())
    expect(page.get_by_role("heading", level=1)).to_have_text("moving left")
    with page.expect_download():
        page.get_by_role("button", name="Tracks").click()


def test_a_server_that_goes_and_comes_back_is_waited_for(
    open_page: OpenPage, played: Play, faults: Faults
) -> None:
    faults.expect("ERR_")  # Chromium's own words for connections that fail
    service = played()
    service.worker.gate.clear()
    with Way(service.url) as way:
        page = open_page(url=way.url)
        page.goto("/#/classify")
        drop(page, "a.mp4", BUNDLED.read_bytes())
        expect(page.locator(".stage-words")).to_contain_text("Waiting in the queue")
        way.cut()
        expect(page.locator(".stage-words")).to_contain_text("Connection lost, trying again")
        service.worker.gate.set()
        way.mend()
        expect(page.get_by_role("heading", level=1)).to_have_text("moving left")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_everybody_can_use_it(
    open_page: OpenPage, accessible: Accessible, width: int, dark: bool
) -> None:
    page = open_page(dark=dark, width=width)
    page.goto("/#/classify")
    expect(page.locator(".drop")).to_be_visible()
    accessible(page)
    classify(page)
    accessible(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_keys_alone_lead_from_the_top_to_a_result(page: Page) -> None:
    page.goto("/#/classify")
    expect(page.locator(".drop")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(3):  # the file, the camera, the first sample
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="jumping jacks")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("doing jumping jacks")


class Way:
    """A way to a service that can be cut and mended."""

    def __init__(self, url: str) -> None:
        self.there = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self.open = True
        self.ends: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "Way":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def cut(self) -> None:
        """Hang up on everybody, and from now on at once."""
        self.open = False
        while self.ends:
            _hang_up(self.ends.pop())

    def mend(self) -> None:
        self.open = True

    def _listen(self) -> None:
        while True:
            try:
                here, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                _hang_up(here)
                continue
            there = socket.create_connection(self.there)
            self.ends += [here, there]
            for pair in ((here, there), (there, here)):
                threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while words := source.recv(65536):
            target.sendall(words)
    for each in (source, target):
        _hang_up(each)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
