"""Putting clips into the buckets of a page, in one line."""

from typing import TYPE_CHECKING

from tests.browser.driver import Locator, Page
from tests.service.teaching import clip

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload

TWO_CLASSES = {"wave": ["1w", "2w"], "nod": ["1n"]}


def fill(page: Page, classes: dict[str, list[str]]) -> None:
    """Name the first classes of a new episode and choose clips for them, by their words."""
    for number, (label, words) in enumerate(classes.items(), start=1):
        page.get_by_role("textbox", name=f"Class {number}").fill(label)
        choose(page.get_by_role("group", name=f"Class {number}", exact=True), words)


def choose(place: Locator, words: list[str]) -> None:
    """Choose clips for an intake; to the played worker a clip is what its last byte is."""
    files: list[FilePayload] = [
        {"name": f"{word}.mp4", "mimeType": "video/mp4", "buffer": clip(word)} for word in words
    ]
    place.locator("input[type=file]").first.set_input_files(files)


def teach(page: Page, classes: dict[str, list[str]] = TWO_CLASSES) -> None:
    """Teach a new episode; the page shows it then."""
    page.goto("/#/teach")
    fill(page, classes)
    main(page).get_by_role("button", name="Teach", exact=True).click()
    page.wait_for_url("**/#/teach/*")


def ask(page: Page, word: str) -> Locator:
    """Ask about a clip; the part of the page that answers."""
    asking = page.get_by_role("region", name="Ask")
    choose(asking, [word])
    return asking


def main(page: Page) -> Locator:
    return page.get_by_role("main")
