"""Teach: a service whose worker is a double, to which a clip is what its last byte is."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import Faults, OpenPage, Play
from tests.browser.driver import Locator, Page, expect
from tests.browser.teaching import ask, choose, fill, main, teach
from tests.service.teaching import clip


@pytest.fixture
def played_page(open_page: OpenPage, played: Play) -> Page:
    return open_page(url=played().url)


def bucket(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name=name, exact=True)


def press(page: Page, name: str) -> None:
    main(page).get_by_role("button", name=name, exact=True).click()


def complaint(page: Page, words: str) -> Locator:
    return main(page).get_by_role("alert").filter(has_text=words)


def learnt(page: Page) -> Locator:
    return main(page).get_by_text("learnt", exact=True)


def answered(answer: Locator, name: str) -> Locator:
    return answer.get_by_role("heading", name=name, exact=True)


def test_a_clip_is_told_apart_by_what_was_taught(played_page: Page) -> None:
    teach(played_page)
    expect(learnt(played_page)).to_have_count(3)
    answer = ask(played_page, "qw")
    expect(answered(answer, "wave")).to_be_visible()
    expect(answer.get_by_role("listitem")).to_contain_text(["wave", "nod"])

    # Beside it is the nearest example, and any other that is chosen.
    expect(answer.locator("figcaption")).to_have_text(["Your clip", "wave: 1w.mp4"])
    expect(answer.locator("canvas")).to_have_count(2)
    answer.get_by_role("button", name="wave: 2w.mp4 (1.00)").click()
    expect(answer.locator("figcaption")).to_have_text(["Your clip", "wave: 2w.mp4"])

    ask(played_page, "q?")
    expect(answered(answer, "None of these")).to_be_visible()


def test_every_clip_tells_how_far_it_is(open_page: OpenPage, played: Play) -> None:
    service = played()
    page = open_page(url=service.url)
    service.worker.gate.clear()
    teach(page, {"wave": ["1w", "2!"], "nod": ["1n"]})
    expect(main(page).get_by_text("looking …", exact=True)).to_have_count(3)
    answer = ask(page, "qn")  # before anything is learnt
    expect(answer.get_by_text("Waiting for the examples")).to_be_visible()
    service.worker.gate.set()
    expect(learnt(page)).to_have_count(2)
    failed = main(page).get_by_role("listitem").filter(has_text="2!.mp4")
    expect(failed).to_contain_text("not usable")
    expect(failed).to_contain_text("the video cannot be decoded")
    expect(main(page).get_by_text("2 clips learnt, 1 could not be used")).to_be_visible()
    expect(answered(answer, "nod")).to_be_visible()


def test_what_is_missing_is_said_and_nothing_is_sent(open_page: OpenPage, played: Play) -> None:
    service = played()
    page = open_page(url=service.url)
    page.goto("/#/teach")
    expect(main(page).get_by_role("textbox", name="Class")).to_have_count(2)
    steps: list[tuple[dict[str, list[str]], str]] = [
        ({}, "Name 2 classes and put at least one clip in each."),
        ({"": ["1w"]}, "Name every class that has clips."),
        ({"wave": []}, "Name 2 classes and put at least one clip in each."),
        ({"wave": [], "nod": []}, "Put a clip of nod in its class."),
        ({"wave": [], "wave ": ["1n"]}, "Two classes are called wave: rename one."),
    ]
    for classes, missing in steps:
        fill(page, classes)
        press(page, "Teach")
        expect(complaint(page, missing)).to_be_visible()
    assert service.worker.submitted == []


def test_what_the_server_refuses_is_said_and_nothing_is_lost(
    played_page: Page, faults: Faults
) -> None:
    faults.expect("409")
    played_page.goto("/#/teach")
    fill(played_page, {"wave": ["1w"], "nod": ["1w"]})
    press(played_page, "Teach")
    expect(complaint(played_page, "keep it under one label")).to_be_visible()
    expect(main(played_page).get_by_role("listitem")).to_have_count(2)


def test_a_class_takes_five_clips_dropped_or_chosen(played_page: Page) -> None:
    drop = """(place, bytes) => {
        const data = new DataTransfer();
        for (const name of ["1w.mp4", "b.mp4"]) {
            data.items.add(new File([new Uint8Array(bytes)], name));
        }
        place.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
    }"""
    played_page.goto("/#/teach")
    wave = bucket(played_page, "Class 1")
    clips, files = wave.get_by_role("listitem"), wave.locator("input[type=file]")
    choose(wave, ["1w"])
    wave.locator(".drop").evaluate(drop, list(clip("1w")))
    expect(clips).to_contain_text(["1w.mp4", "1w 2.mp4", "b.mp4"])  # two of one name are two
    choose(wave, ["2w", "3w", "4w", "5w"])
    expect(clips).to_have_count(5)
    expect(wave.get_by_text("5 clips: that is plenty. 2 left out.")).to_be_visible()
    expect(files).to_be_hidden()
    wave.get_by_role("button", name="Take 1w.mp4 out").click()
    expect(clips).to_have_count(4)
    expect(files).to_be_visible()


def test_a_class_can_be_added_and_removed_but_two_stay(played_page: Page) -> None:
    played_page.goto("/#/teach")
    press(played_page, "Add a class")
    expect(played_page.get_by_role("textbox", name="Class 3")).to_be_focused()
    for number in (3, 2):
        press(played_page, f"Remove Class {number}")
        press(played_page, "Remove")
    expect(main(played_page).get_by_role("textbox", name="Class")).to_have_count(2)
    expect(complaint(played_page, "Two classes are the fewest")).to_be_visible()


def test_more_clips_and_classes_are_taught_later(played_page: Page) -> None:
    teach(played_page)
    choose(bucket(played_page, "wave"), ["3w"])
    press(played_page, "Add a class")
    main(played_page).get_by_role("textbox", name="Class").fill("sit")
    choose(main(played_page).get_by_role("group", name="Class"), ["1s"])
    press(played_page, "Teach these too")
    expect(learnt(played_page)).to_have_count(5)
    expect(main(played_page).get_by_role("button", name="Teach these too")).to_be_hidden()
    expect(answered(ask(played_page, "qs"), "sit")).to_be_visible()


def test_a_clip_is_taken_out_once_that_was_confirmed(played_page: Page) -> None:
    teach(played_page)
    wave = bucket(played_page, "wave")
    wave.get_by_role("button", name="Take 1w.mp4 out").click()
    wave.get_by_role("button", name="Keep").click()
    expect(wave.get_by_role("listitem")).to_have_count(2)
    wave.get_by_role("button", name="Take 1w.mp4 out").click()
    wave.get_by_role("button", name="Forget").click()
    expect(wave.get_by_role("listitem")).to_have_count(1)

    # With one class, every clip would be that.
    wave.get_by_role("button", name="Remove wave").click()
    wave.get_by_role("button", name="Remove", exact=True).click()
    expect(complaint(played_page, "Two classes are the fewest")).to_be_visible()
    played_page.reload()
    expect(wave.get_by_role("listitem")).to_have_count(1)


def test_a_wrong_answer_becomes_an_example_without_being_sent_again(played_page: Page) -> None:
    teach(played_page)
    answer = ask(played_page, "qw")
    expect(answer.get_by_label("What it is")).to_have_value("wave")
    answer.get_by_label("What it is").select_option("nod")
    answer.get_by_role("button", name="Teach it this clip").click()
    expect(answer.get_by_text("It is an example of nod now.")).to_be_visible()
    expect(bucket(played_page, "nod").get_by_role("listitem")).to_have_count(2)


def test_an_episode_is_renamed_found_again_and_deleted(played_page: Page, faults: Faults) -> None:
    teach(played_page)
    address = played_page.url
    name = main(played_page).get_by_role("textbox", name="Name of wave, nod")
    name.fill("gestures")
    name.press("Enter")
    expect(main(played_page).get_by_text("saved", exact=True)).to_be_visible()
    main(played_page).get_by_role("link", name="All that is saved").click()
    main(played_page).get_by_role("link", name="Open gestures").click()
    expect(main(played_page).get_by_label("Name of gestures")).to_have_value("gestures")
    expect(learnt(played_page)).to_have_count(3)
    assert played_page.url == address

    main(played_page).get_by_role("link", name="All that is saved").click()
    press(played_page, "Delete gestures")
    expect(main(played_page).get_by_role("button", name="Keep")).to_be_focused()
    press(played_page, "Delete")
    expect(main(played_page).get_by_text("None yet: what you teach appears here.")).to_be_visible()
    faults.expect("404")
    played_page.goto(address)
    expect(complaint(played_page, "There is no episode")).to_be_visible()


def test_markup_in_names_stays_text(played_page: Page) -> None:
    label = "<img src=x onerror=alert(1)>"
    teach(played_page, {label: ["<b>w"], "nod": ["1n"]})
    expect(played_page.get_by_role("heading", name=label)).to_be_visible()
    expect(main(played_page).get_by_text("<b>w.mp4", exact=True)).to_be_visible()
    expect(answered(ask(played_page, "qw"), label)).to_be_visible()
    assert played_page.locator("main img[src=x], main b").count() == 0


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 360)])
def test_everybody_can_use_it(
    open_page: OpenPage,
    played: Play,
    accessible: Callable[[Page], None],
    dark: bool,
    width: int,
) -> None:
    page = open_page(url=played().url, dark=dark, width=width)
    page.goto("/#/teach")
    fill(page, {"wave": ["1w"]})
    main(page).get_by_text("More", exact=True).click()
    accessible(page)
    teach(page)
    answer = ask(page, "qw")
    expect(answer.locator("canvas")).to_have_count(2)
    expect(learnt(page)).to_have_count(3)
    accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
