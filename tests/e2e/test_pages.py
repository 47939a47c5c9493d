"""The pages in a real browser, against a real stack with the bundled model and its sample collection."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.browser import new_page
from tests.e2e.conftest import RunningStack

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FRUIT = {"tomato", "red apple", "strawberry", "cherries", "peach", "watermelon", "grapes", "kiwi fruit", "mango"}


@pytest.fixture
def page(page: Page) -> Page:
    page.goto("/")
    return page


def ask(page: Page, text: str) -> None:
    page.get_by_test_id("query").fill(text)
    page.get_by_test_id("query").press("Enter")
    expect(page).to_have_url(re.compile(r"[?&]q="))
    answered(page)


def answered(page: Page) -> None:
    expect(page.locator("section[aria-label=Results]")).to_have_attribute("aria-busy", "false")
    expect(page.get_by_test_id("status")).to_contain_text("pictures")


def names(page: Page, first: int = 10) -> list[str]:
    answered(page)
    tiles = page.get_by_test_id("hit")
    expect(tiles.first).to_be_visible()
    return [tile.locator(".tile-name").inner_text().lower() for tile in tiles.all()[:first]]


def test_typing_a_word_shows_pictures_of_it(page: Page) -> None:
    ask(page, "cat")
    assert any("cat" in name for name in names(page))
    expect(page.get_by_test_id("hit").first.locator("img")).to_have_js_property("complete", True)
    assert page.get_by_test_id("hit").first.locator("img").evaluate("image => image.naturalWidth") > 0


def test_a_phrase_finds_what_it_means(page: Page) -> None:
    ask(page, "red fruit")
    assert FRUIT & set(names(page))
    ask(page, "happy face")
    assert any(re.search("smil|grin|happy|face", name) for name in names(page))


def test_the_address_reproduces_the_search_and_back_returns(page: Page) -> None:
    ask(page, "cat")
    found = names(page)
    shared = page.url
    ask(page, "hospital")
    assert names(page) != found
    page.go_back()
    expect(page.get_by_test_id("query")).to_have_value("cat")
    page.goto(shared)
    expect(page.get_by_test_id("query")).to_have_value("cat")
    assert names(page) == found


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    expect(page.get_by_test_id("query")).to_be_focused()
    # Who does not look presses it all the same.
    page.keyboard.press("/")
    page.keyboard.type("cat")
    expect(page.get_by_test_id("query")).to_have_value("cat")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("hit").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("hit").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("viewer-close")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("viewer-close")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_test_id("query")).to_be_focused()


def test_a_key_that_finds_nothing_to_do_says_so_before_a_search_too(page: Page) -> None:
    expect(page.get_by_text("pictures in pictograms")).to_be_visible()
    where = page.get_by_text("pictures in pictograms").bounding_box()
    page.get_by_test_id("undo").click()
    expect(page.get_by_test_id("start-note")).to_have_text("There is nothing to undo.")
    assert page.get_by_text("pictures in pictograms").bounding_box() == where


def test_more_pages_never_repeat_a_picture(page: Page) -> None:
    ask(page, "cat")
    names(page)
    for pages in (2, 3):
        page.get_by_test_id("more").click()
        expect(page.get_by_test_id("hit")).to_have_count(48 * pages)
    ids = page.get_by_test_id("hit").evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")
    assert len(set(ids)) == len(ids) == 144


def test_similar_pictures_are_a_click_away(page: Page) -> None:
    ask(page, "cat")
    first = page.get_by_test_id("hit").first.get_attribute("data-id")
    page.get_by_test_id("hit").first.click()
    page.get_by_test_id("find-similar").click()
    expect(page.get_by_test_id("similar-chip")).to_be_visible()
    expect(page.get_by_test_id("hit").first).not_to_have_attribute("data-id", first or "")


def test_two_people_search_at_the_same_time_and_see_their_own_results(
    browser: Browser, demo_stack: RunningStack, page: Page
) -> None:
    with new_page(browser, demo_stack.url) as other:
        other.goto("/")
        page.get_by_test_id("query").fill("cat")
        other.get_by_test_id("query").fill("hospital")
        page.get_by_test_id("query").press("Enter")
        other.get_by_test_id("query").press("Enter")
        assert any("cat" in name for name in names(page))
        assert any("hospital" in name for name in names(other))


def test_a_search_that_fails_says_why_and_can_be_tried_again(page: Page) -> None:
    page.goto("/?c=nothing-of-that-name&q=cat")
    expect(page.get_by_test_id("status")).to_be_attached()
    page.goto("/")
    ask(page, "cat")
    assert names(page)


def test_a_lost_connection_is_told_and_mended(page: Page, demo_stack: RunningStack) -> None:
    ask(page, "cat")
    page.context.set_offline(True)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", re.compile("offline|reconnecting"))
    page.context.set_offline(False)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "open")
    ask(page, "hospital")
    assert any("hospital" in name for name in names(page))


def test_nothing_comes_from_another_origin_and_the_policy_holds(browser: Browser, demo_stack: RunningStack) -> None:
    with new_page(browser, demo_stack.url) as page:
        requested: list[str] = []
        refused: list[Any] = []
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
        for address in ("/?q=cat", "/dashboard", "/docs"):
            page.goto(address)
            page.wait_for_load_state("networkidle")
    assert [url for url in requested if not url.startswith((demo_stack.url, "data:", "blob:"))] == []
    assert refused == []


def test_a_dead_api_is_told_as_a_failure_not_as_no_results(browser: Browser, demo_stack: RunningStack) -> None:
    def refuse(route: Route) -> None:
        problem = '{"type":"queue-away","title":"Redis does not answer","status":503,"detail":"try again soon"}'
        route.fulfill(status=503, content_type="application/problem+json", body=problem)

    with new_page(browser, demo_stack.url) as page:
        page.route("**/v1/collections", refuse)
        page.goto("/")
        expect(page.get_by_test_id("failed")).to_contain_text("Redis does not answer")
        page.unroute("**/v1/collections")
        page.get_by_test_id("retry").click()
        expect(page.get_by_test_id("failed")).to_have_count(0)


@pytest.mark.parametrize("address", ["/?q=cat", "/dashboard", "/docs"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_fit_a_phone(browser: Browser, demo_stack: RunningStack, address: str, dark: bool) -> None:
    with new_page(browser, demo_stack.url, dark=dark, width=380) as page:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
