"""The way that docs/newcomer.md describes, click by click."""

import re
from pathlib import Path

from tests.browser.driver import Locator, Page, expect
from tests.browser.teaching import main

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "newcomer.md").read_text()
LONG_MS = 60_000  # for four clips on a busy machine


def press(part: Locator, words: str) -> None:
    """Press what the guide names in bold."""
    assert f"**{words}**" in GUIDE
    link = part.get_by_role("link", name=words, exact=True)
    part.get_by_role("button", name=words, exact=True).or_(link).click()


def test_a_newcomer_teaches_two_classes_and_gets_a_right_answer(page: Page) -> None:
    page.goto("/")
    press(page.get_by_role("navigation"), "Teach")
    press(main(page), "Fill in sample clips")
    expect(page.get_by_role("textbox", name="Class 1")).to_have_value("falling")
    expect(page.get_by_role("textbox", name="Class 2")).to_have_value("bouncing")
    press(main(page), "Teach")
    expect(page).to_have_url(re.compile("#/teach/[0-9a-f]{32}$"))
    expect(page.get_by_text("learnt", exact=True)).to_have_count(4, timeout=LONG_MS)
    press(main(page), "falling 3")
    answer = page.get_by_role("region", name="Ask")
    said = answer.get_by_role("heading", name="falling", exact=True)
    expect(said).to_be_visible(timeout=LONG_MS)
    expect(answer.get_by_role("listitem")).to_contain_text(["falling", "bouncing"])
    expect(answer.locator("canvas")).to_have_count(2)

    # Both are as far on their way, whatever their lengths.
    answer.get_by_role("button", name="Pause").click()
    answer.get_by_label("Place in the clip").fill("1.5")
    halfway = """() => [...document.querySelectorAll('.pair video')]
        .every((video) => Math.abs(video.currentTime / video.duration - 0.5) < 0.03)"""
    page.wait_for_function(halfway)
