"""Timeline, on the real service: six seconds in which something falls, then something bounces."""

import csv
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.browser.conftest import OpenPage, Play
from tests.browser.driver import Locator, Page, expect
from tests.browser.films import join
from tests.browser.teaching import choose, main, teach
from tests.conftest import Stack
from tests.service.teaching import clip

CLIPS = ["falling_1", "bouncing_1"]
LONG_MS = 60_000


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return join(CLIPS, tmp_path_factory.mktemp("film") / "day.mp4")


@pytest.fixture(scope="session")
def job(stack: Stack, film: Path) -> str:
    """The id of its finished timeline."""
    with film.open("rb") as video:
        answer = stack.client.post(
            "/timelines", files={"clip": video}, headers={"Prefer": "wait=60"}
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job"])


@pytest.fixture
def shown(page: Page, job: str) -> Page:
    page.goto(f"/#/timeline/{job}")
    expect(bars(page).first).to_be_visible()
    return page


def lanes(page: Page) -> Locator:
    return page.get_by_role("region", name="Lanes")


def bars(page: Page) -> Locator:
    return lanes(page).get_by_role("button")


def place(page: Page) -> Locator:
    return lanes(page).get_by_role("slider", name="Place in the video")


def starts(page: Page) -> list[str]:
    """Of the bars, in seconds."""
    return [bar.get_attribute("data-start") or "" for bar in bars(page).all()]


def threshold(page: Page, value: str) -> None:
    """Move the slider and wait for the lanes that it gives."""
    with page.expect_response(re.compile(rf"segments\?threshold={value}$")) as coming:
        page.get_by_label("Threshold").fill(value)
    expect(bars(page)).to_have_count(len(coming.value.json()["segments"]))


def answering(page: Page, value: str, **changes: object) -> None:
    """Let the service answer this for a threshold."""
    whole = {"complete": True, "until_s": 6, "duration_s": 6, "segments": []}
    page.route(
        re.compile(rf"threshold={value}$"), lambda route: route.fulfill(json=whole | changes)
    )


def box(place: Locator) -> tuple[float, float, float]:
    """Its left side, its width and the middle of its height."""
    found = place.bounding_box()
    assert found is not None
    return found["x"], found["width"], found["y"] + found["height"] / 2


def test_a_video_is_sent_and_its_lanes_are_shown(page: Page, film: Path) -> None:
    page.goto("/#/timeline")
    expect(page.get_by_label("Look for")).to_have_value(re.compile("^model "))
    page.locator("main input[type=file]").set_input_files(film)
    expect(page).to_have_url(re.compile("#/timeline/[0-9a-f]{32}$"))
    expect(page.get_by_role("heading", name="day.mp4")).to_be_visible()
    expect(bars(page).first).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_text("not read yet")).to_be_hidden(timeout=LONG_MS)


def test_a_link_brings_lanes_and_video_and_a_press_moves_both(shown: Page) -> None:
    shown.wait_for_function("() => document.querySelector('.theatre video')?.duration > 5")
    left, width, middle = box(place(shown))
    shown.mouse.click(left + width / 2, middle)
    halfway = """() => {
        const video = document.querySelector('.theatre video');
        return Math.abs(video.currentTime - video.duration / 2) < 0.1;
    }"""
    shown.wait_for_function(halfway)
    expect(place(shown)).to_have_attribute("aria-valuetext", "0:03.0 of 0:06")


def test_keys_move_the_playhead(shown: Page) -> None:
    shown.wait_for_function("() => document.querySelector('.theatre video')?.readyState > 0")
    for key in ("End", "Home", "ArrowRight", "ArrowRight", "ArrowLeft"):
        place(shown).press(key)
    expect(place(shown)).to_have_attribute("aria-valuenow", "1.0")
    shown.wait_for_function("() => document.querySelector('.theatre video')?.currentTime === 1")


def test_a_bar_tells_itself_and_leads_to_its_beginning(shown: Page) -> None:
    threshold(shown, "0.2")
    count = len(starts(shown))
    bars(shown).and_(shown.locator("[tabindex='0']")).focus()
    for _ in range(count):
        shown.keyboard.press("ArrowDown")
    shown.keyboard.press("End")
    last = bars(shown).last
    expect(last).to_be_focused()
    name = last.get_attribute("aria-label") or ""
    assert re.fullmatch(r".+, \d:\d\d\.\d to \d:\d\d\.\d, score \d+ %", name)
    expect(lanes(shown).get_by_text(name.replace(", ", ": ", 1), exact=True)).to_be_visible()
    shown.keyboard.press("Enter")
    expect(place(shown)).to_have_attribute("aria-valuenow", f"{float(starts(shown)[-1]):.1f}")


def test_a_lower_threshold_shows_more_and_one_too_high_nothing(shown: Page) -> None:
    threshold(shown, "0.9")
    few = len(starts(shown))
    threshold(shown, "0.1")
    assert len(starts(shown)) > few
    shown.get_by_text("Segments as a table").click()
    table = shown.get_by_role("region", name="Segments as a table")
    assert table.get_by_role("row").count() == 1 + len(starts(shown))
    answering(shown, "0.95")
    threshold(shown, "0.95")
    expect(shown.get_by_text("Nothing reaches this threshold: move it down.")).to_be_visible()


def test_what_is_known_is_shown_while_the_rest_is_read(shown: Page) -> None:
    falling = {"label": "falling", "start_s": 0, "end_s": 1.5, "score": 0.9}
    answering(shown, "0.6", complete=False, until_s=1.5, segments=[falling])
    threshold(shown, "0.6")
    expect(shown.get_by_text("Read up to 0:02 of 0:06.")).to_be_visible()
    expect(shown.get_by_text("not read yet")).to_be_visible()
    left, width, _ = box(shown.locator(".lanes .ruler"))
    assert box(shown.locator(".lanes .unknown"))[0] == pytest.approx(left + width / 4, abs=1)
    assert box(bars(shown))[:2] == pytest.approx((left, width / 4), abs=1)


def test_a_long_video_can_be_magnified(shown: Page) -> None:
    _, whole, _ = box(place(shown))
    place(shown).press("End")
    shown.get_by_role("button", name="Zoom in").click()
    assert box(place(shown))[1] == pytest.approx(2 * whole, rel=0.01)
    assert shown.locator(".scroller").evaluate("each => each.scrollLeft") > 0  # to the playhead
    shown.get_by_role("button", name="Fit the whole video").click()
    assert box(place(shown))[1] == whole


def test_what_is_shown_can_be_taken_along(shown: Page, job: str) -> None:
    counts: dict[str, tuple[str, Callable[[str], int]]] = {
        "CSV": ("csv", lambda text: len(list(csv.DictReader(text.splitlines())))),
        "JSON": ("json", lambda text: len(json.loads(text)["segments"])),
        "WebVTT": ("vtt", lambda text: text.count("-->")),
        "ELAN": (
            "eaf",
            lambda text: len(ElementTree.fromstring(text).findall(".//ALIGNABLE_ANNOTATION")),
        ),
    }
    threshold(shown, "0.2")
    for name, (ending, count) in counts.items():
        with shown.expect_download() as coming:
            shown.get_by_role("button", name=name, exact=True).click()
        assert coming.value.suggested_filename == f"{job}.{ending}"
        assert count(Path(coming.value.path()).read_text()) == len(starts(shown))


def test_own_classes_are_looked_for(open_page: OpenPage, played: Play) -> None:
    service = played()
    page = open_page(url=service.url)
    teach(page)
    expect(page.get_by_text("learnt", exact=True)).to_have_count(3)
    episode = page.url.rpartition("/")[2]
    service.worker.gate.clear()
    page.goto("/#/timeline")
    page.get_by_label("Look for").select_option(label="wave, nod")
    choose(main(page), ["v"])
    page.wait_for_url("**/#/timeline/*")
    expect(main(page).get_by_text("Waiting in the queue")).to_be_visible()
    job = service.worker.store.get(page.url.rpartition("/")[2])
    assert job is not None
    assert (job.kind, job.params["episode"]) == ("timeline", episode)

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert").filter(has_text="It was cancelled")).to_be_visible()


def test_a_job_of_another_kind_has_no_lanes(open_page: OpenPage, played: Play) -> None:
    url = played().url
    other = httpx.post(f"{url}/classify", files={"clip": clip("w")}).json()["job"]
    page = open_page(url=url)
    page.goto(f"/#/timeline/{other}")
    expect(page.get_by_role("alert").filter(has_text="it has no lanes")).to_be_visible()


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 360)])
def test_everybody_can_use_it(
    open_page: OpenPage, job: str, accessible: Callable[[Page], None], dark: bool, width: int
) -> None:
    page = open_page(dark=dark, width=width)
    page.goto("/#/timeline")
    expect(page.get_by_label("Look for")).to_have_value(re.compile("^model "))
    accessible(page)
    page.goto(f"/#/timeline/{job}")
    expect(bars(page).first).to_be_visible()
    page.get_by_text("Segments as a table").click()
    accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
