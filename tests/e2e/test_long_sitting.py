"""What an hour of searching meets beside searching: asking anew, keys held down, the way back, no network, a phone."""

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browser import new_page
from tests.e2e.conftest import RunningStack
from tests.e2e.test_sitting import answered, go, ids, places, sound, spot

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Of the screen's height, above the first picture.
CONTROLS = 0.3


def test_enter_asks_the_same_anew_without_what_was_seen_since(page: Page) -> None:
    go(page, "/?q=cat")
    seen = ids(page)
    page.keyboard.press("e")
    expect(page.locator("[data-seen]")).to_have_count(len(seen))
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    expect(page.locator(f'[data-id="{seen[0]}"]')).to_have_count(0)
    answered(page)
    assert not set(seen) & set(ids(page))
    page.get_by_test_id("undo").click()
    expect(page.get_by_test_id("last-step")).to_contain_text("undone")
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    expect(page.locator(f'[data-id="{seen[0]}"]')).to_have_count(1)


def test_a_key_that_is_held_down_counts_once(page: Page) -> None:
    go(page, "/?q=cat")
    first = ids(page)[0]
    page.get_by_test_id("hit").first.focus()
    for _ in range(4):  # without letting go of it
        page.keyboard.down("g")
    page.keyboard.up("g")
    expect(spot(page, first)).to_have_attribute("data-mark", "good")
    expect(page.get_by_test_id("undo")).to_be_visible()
    page.keyboard.press("u")
    expect(spot(page, first)).not_to_have_attribute("data-mark", "good")


def test_a_mark_is_taken_back_where_the_picture_is_open(page: Page) -> None:
    go(page, "/?q=cat")
    first = ids(page)[0]
    page.get_by_test_id("hit").first.click()
    page.keyboard.press("x")
    hide = page.get_by_test_id("viewer").get_by_test_id("mark-hidden")
    expect(hide).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("u")
    expect(hide).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("y")
    expect(hide).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(spot(page, first)).to_have_attribute("data-mark", "hidden")


def test_the_way_back_closes_a_picture_of_other_results(page: Page) -> None:
    go(page, "/?q=cat")
    page.get_by_test_id("query").fill("red fruit")
    page.get_by_test_id("query").press("Enter")
    expect(page.get_by_test_id("hit").first).to_contain_text("peach")
    page.get_by_test_id("hit").first.click()
    expect(page.get_by_test_id("viewer")).to_be_visible()
    page.go_back()
    expect(page.get_by_test_id("viewer")).to_have_count(0)
    expect(page.get_by_test_id("hit").first).to_contain_text("cat")


def test_a_sitting_that_was_ended_elsewhere_is_told_and_another_one_begins(
    page: Page, demo_stack: RunningStack
) -> None:
    go(page, "/?q=cat")
    first = ids(page)[0]
    with page.expect_response("**/marks"):
        spot(page, first).hover()
        spot(page, first).get_by_test_id("mark-good").click()
    session = page.evaluate("() => localStorage.getItem('clipline.session')")
    httpx.delete(f"{demo_stack.url}/v1/sessions/{session}", timeout=60, trust_env=False).raise_for_status()
    expect(page.get_by_test_id("last-step")).to_contain_text("The sitting was over")
    expect(page.locator("[data-mark]")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.get_by_test_id("last-step")).to_contain_text("nothing to undo")


def test_nothing_moves_when_the_network_goes(page: Page) -> None:
    go(page, "/?q=cat")
    before = places(page)
    page.context.set_offline(True)
    expect(page.get_by_test_id("connection")).to_contain_text("offline")
    assert places(page) == before
    sound(page)
    page.context.set_offline(False)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "open")
    assert places(page) == before


def test_the_only_picture_that_is_left_is_called_so(page: Page, albums: str) -> None:
    go(page, f"/?q=cat&c={albums}")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("g")
    page.keyboard.press("e")
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("hit")).to_have_count(1)
    expect(page.get_by_test_id("status")).to_have_text("Only 1 picture")


def test_on_a_phone_pictures_begin_high_and_the_rest_unfolds(browser: Browser, demo_stack: RunningStack) -> None:
    with new_page(browser, demo_stack.url, width=390) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto("/")
        expect(page.get_by_test_id("history")).to_be_visible()
        go(page, "/?q=cat&c=pictograms")
        first = page.get_by_test_id("hit").first
        assert top(first) < CONTROLS
        expect(page.get_by_test_id("query")).to_be_in_viewport()
        for name in ("filters", "refine", "saw", "undo"):
            expect(page.get_by_test_id(name)).to_be_in_viewport()
        for name in ("redo", "history", "team", "collection"):
            expect(page.get_by_test_id(name)).to_be_hidden()
        page.get_by_test_id("fold").click()
        for name in ("redo", "history", "team", "collection"):
            expect(page.get_by_test_id(name)).to_be_in_viewport()
        sound(page)
        page.get_by_test_id("history").click()
        expect(page.get_by_test_id("history-dialog")).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_test_id("fold").click()
        assert top(first) < CONTROLS
        page.get_by_test_id("hit").last.scroll_into_view_if_needed()
        for name in ("query", "refine", "undo"):
            expect(page.get_by_test_id(name)).to_be_in_viewport(ratio=1)
        # Keys lead to what is folded.
        page.keyboard.press("t")
        expect(page.get_by_test_id("team-dialog")).to_be_visible()


def top(tile: Locator) -> float:
    share: float = tile.evaluate("tile => tile.getBoundingClientRect().top / innerHeight")
    return share
