"""Models and System, and the frame around all views."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import Faults, OpenPage
from tests.browser.driver import Page, expect


def test_models_are_shown_with_their_licences(page: Page) -> None:
    page.goto("/#/models")
    card = page.locator(".catalogue > li").filter(has_text="traction-tiny").first
    expect(card).to_contain_text("Apache-2.0")
    expect(card).to_contain_text("commercial use allowed")
    card.get_by_text("125 labels").click()
    expect(card.locator(".labels")).to_contain_text("moving left")
    theirs = page.locator(".catalogue > li.absent").filter(has_text="cotracker3").first
    expect(theirs).to_contain_text("not installed")
    expect(theirs).to_contain_text("pointaction models pull cotracker3")


def test_the_system_is_seen_at_a_glance(page: Page) -> None:
    page.goto("/#/system")
    for name in ("Health", "Queue", "Workers", "Cache"):
        expect(page.locator(".gauge").filter(has_text=name)).to_be_visible()
    expect(page.locator(".gauge").first).to_contain_text("ready")
    expect(page.locator(".part").filter(has_text="Parts")).to_contain_text("broker")


@pytest.mark.parametrize(("view", "dark"), [("models", False), ("system", True)])
def test_everybody_can_use_them(
    open_page: OpenPage, accessible: Callable[[Page], None], view: str, dark: bool
) -> None:
    page = open_page(dark=dark, width=360)
    page.goto(f"/#/{view}")
    expect(page.locator(".card").first).to_be_visible()
    accessible(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360


def test_the_address_chooses_the_view(page: Page) -> None:
    page.goto("/#/models")
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    expect(page).to_have_title("Models · PointAction")
    expect(page.locator("nav [aria-current]")).to_have_text("Models")
    page.get_by_role("link", name="System").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("System")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    page.goto("/#/nowhere")
    expect(page.locator("nav [aria-current]")).to_have_text("Classify")


def test_a_job_that_is_not_there_is_a_plain_sentence(page: Page, faults: Faults) -> None:
    faults.expect("404")
    page.goto(f"/#/classify/{'0' * 32}")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("link", name="Send a clip").click()
    expect(page.locator(".drop")).to_be_visible()
