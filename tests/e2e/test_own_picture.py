"""A picture of the searcher's own as a query: as good as words for the address, the way back and the history."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import new_page
from tests.e2e.conftest import RunningStack
from tests.e2e.test_sitting import LOOKS, answered, go, ids, places, sound

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# What the browser does with a file that is held over the page, and let go of.
DRAG = """([kind, type]) => {
  const data = new DataTransfer();
  data.items.add(new File(["no picture"], "notes.txt", {type}));
  dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


@pytest.fixture
def guitar(demo_stack: RunningStack) -> Path:
    return demo_stack.data / "demo" / "pictograms" / "guitar.png"


def ask(page: Page, picture: Path) -> list[str]:
    page.get_by_label("Search with a picture").set_input_files(picture)
    expect(page).to_have_url(re.compile("pic="))
    expect(page.get_by_test_id("picture-chip")).to_be_visible()
    answered(page)
    expect(page.get_by_test_id("query")).to_have_value("")
    return ids(page)


def test_back_reload_and_history_ask_by_the_picture_again(page: Page, guitar: Path) -> None:
    go(page, "/?q=cat&c=pictograms")
    cats = ids(page)
    found = ask(page, guitar)
    assert found != cats
    page.go_back()
    expect(page.get_by_test_id("picture-chip")).to_have_count(0)
    expect(page.locator(f'[data-id="{cats[0]}"]')).to_be_visible()
    page.go_forward()
    expect(page.get_by_test_id("picture-chip")).to_have_text("guitar.png")
    page.reload()
    answered(page)
    assert ids(page) == found

    page.get_by_test_id("query").fill("red fruit")
    page.get_by_role("button", name="Stop searching with this picture").click()
    expect(page).not_to_have_url(re.compile("pic="))
    answered(page)
    page.get_by_test_id("history").click()
    past = page.get_by_test_id("past").filter(has_text=re.compile("^a picture of one's own"))
    expect(past.first.locator("img")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("past").first).to_be_focused()
    past.first.click()
    expect(page.get_by_test_id("picture-chip")).to_have_text("guitar.png")
    answered(page)
    assert ids(page) == found
    page.get_by_test_id("undo").click()
    expect(page.get_by_test_id("picture-chip")).to_have_count(0)


def test_another_browser_says_that_it_has_not_the_picture(
    browser: Browser, demo_stack: RunningStack, page: Page, guitar: Path
) -> None:
    go(page, "/?q=cat&c=pictograms")
    ask(page, guitar)
    with new_page(browser, demo_stack.url) as other:
        other.goto(page.url)
        expect(other.get_by_test_id("failed")).to_contain_text("not here")
        other.get_by_test_id("query").fill("cat")
        answered(other)


@pytest.mark.parametrize("look", LOOKS)
def test_a_file_over_the_page_is_told_where_it_goes(browser: Browser, demo_stack: RunningStack, look: str) -> None:
    with new_page(browser, demo_stack.url, **LOOKS[look]) as page:
        go(page, "/?q=cat")
        before = places(page)
        page.evaluate(DRAG, ["dragover", "image/png"])
        expect(page.get_by_test_id("drop-here")).to_be_visible()
        page.evaluate(DRAG, ["drop", "text/plain"])
        expect(page.get_by_test_id("drop-here")).to_have_count(0)
        expect(page.get_by_test_id("failed")).to_contain_text("not a picture")
        assert places(page) == before
        sound(page)
        page.get_by_test_id("dismiss").click()
        expect(page.get_by_test_id("failed")).to_have_count(0)
        page.evaluate(DRAG, ["drop", "text/plain"])
        expect(page.get_by_test_id("failed")).to_be_visible()
        page.get_by_test_id("query").fill("red fruit")
        expect(page.get_by_test_id("failed")).to_have_count(0)


def test_a_file_that_only_calls_itself_a_picture_is_not_tried_again(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture at all")
    page.goto("/?c=pictograms")
    page.get_by_label("Search with a picture").set_input_files(broken)
    expect(page.get_by_test_id("failed")).to_contain_text("not a picture that can be read")
    expect(page.get_by_test_id("retry")).to_have_count(0)
