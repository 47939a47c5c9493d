"""A sitting that the server keeps: the same after a reload, in another tab, and for a team; and when it is refused."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.browser import WITHIN_MS, new_page
from tests.e2e.conftest import RunningStack
from tests.e2e.running import until
from tests.e2e.test_sitting import LOOKS, answered, go, ids, places, sound, spot

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def marked(page: Page, keys: str = "gbx") -> list[str]:
    """The first pictures, marked by keys, one after the other."""
    found = ids(page)[: len(keys)]
    page.get_by_test_id("hit").first.focus()
    for key in keys:
        page.keyboard.press(key)
        page.keyboard.press("ArrowRight")
    return found


def shows(page: Page, item: str, mark: str) -> None:
    expect(spot(page, item)).to_have_attribute("data-mark", mark)


def test_a_reload_and_another_tab_have_the_same_marks(page: Page) -> None:
    go(page, "/?q=cat")
    with page.expect_response(
        lambda answer: answer.url.endswith("/marks") and "exclude" in (answer.request.post_data or "")
    ):
        good, bad, gone = marked(page)
    page.reload()
    answered(page)
    shows(page, good, "good")
    shows(page, bad, "bad")
    assert gone not in ids(page)

    other = page.context.new_page()
    other.goto("/?q=cat")
    answered(other)
    shows(other, good, "good")
    fourth = ids(page)[3]
    spot(page, fourth).hover()
    spot(page, fourth).get_by_test_id("mark-good").click()
    shows(other, fourth, "good")
    # Another tab's searches are its own, also at the same moment.
    other.get_by_test_id("query").fill("red fruit")
    page.get_by_test_id("query").fill("musical instrument")
    for one in (page, other):
        one.get_by_test_id("query").press("Enter")
    for one in (page, other):
        answered(one)
    assert ids(page) != ids(other)


def test_what_was_seen_stays_and_comes_no_more(page: Page) -> None:
    go(page, "/?q=cat")
    shown, before = ids(page), places(page)
    page.get_by_test_id("hit").first.focus()
    page.keyboard.press("e")
    expect(page.locator("[data-seen]")).to_have_count(len(shown))
    expect(page.get_by_test_id("last-step")).to_contain_text("48 pictures seen")
    assert places(page) == before
    with page.expect_response(lambda answer: answer.url.endswith("/undo")):
        page.keyboard.press("u")
    expect(page.locator("[data-seen]")).to_have_count(0)
    with page.expect_response(lambda answer: answer.url.endswith("/redo")):
        page.keyboard.press("y")
    expect(page.locator("[data-seen]")).to_have_count(len(shown))
    page.reload()
    answered(page)
    assert not set(ids(page)) & set(shown)


def test_where_nothing_is_left_it_says_why_and_brings_it_back(page: Page, albums: str) -> None:
    go(page, f"/?q=cat&c={albums}&f=album%3A%22album-0%22")
    found = ids(page)
    page.keyboard.press("e")
    page.get_by_test_id("query").fill("a cat")
    page.get_by_test_id("query").press("Enter")
    nothing = page.get_by_test_id("nothing")
    expect(nothing).to_contain_text("Nothing is left")
    sound(page)
    page.get_by_test_id("undo").click()
    answered(page)
    assert sorted(ids(page)) == sorted(found)
    page.get_by_test_id("redo").click()
    page.get_by_test_id("query").fill("cat")
    page.get_by_test_id("query").press("Enter")
    page.get_by_test_id("with-seen").click()
    answered(page)
    assert ids(page) == found
    page.keyboard.press("Escape")
    page.get_by_test_id("hit").first.focus()
    page.keyboard.press("e")
    page.get_by_test_id("query").fill("a cat")
    page.get_by_test_id("query").press("Enter")
    page.get_by_test_id("without-filters").click()
    answered(page)
    assert not set(ids(page)) & set(found)


def test_the_history_leads_back_by_key_and_click(page: Page) -> None:
    go(page, "/?q=cat")
    page.get_by_test_id("query").fill("red fruit")
    page.get_by_test_id("query").press("Enter")
    expect(page).to_have_url(re.compile("q=red"))
    answered(page)
    page.get_by_test_id("hit").first.focus()
    page.keyboard.press("h")
    past = page.get_by_test_id("past")
    expect(past.first).to_contain_text("red fruit")
    link = past.filter(has_text=re.compile("^cat")).first
    assert re.search(r"\?q=cat&c=pictograms$", link.get_attribute("href") or "")
    link.click()
    expect(page).to_have_url(re.compile("q=cat"))
    expect(page.get_by_test_id("history-dialog")).to_have_count(0)
    answered(page)
    page.keyboard.press("Escape")
    page.get_by_test_id("undo").click()
    expect(page).to_have_url(re.compile("q=red"))
    page.get_by_test_id("redo").click()
    expect(page).to_have_url(re.compile("q=cat"))


def joined(host: Page, page: Page, name: str) -> None:
    """By the link, which asks for a name."""
    host.keyboard.press("Escape")
    host.get_by_test_id("team").click()
    page.goto(host.get_by_test_id("join-link").input_value())
    page.get_by_test_id("join-name").fill(name)
    page.get_by_test_id("join-submit").click()
    expect(page.get_by_test_id("join-dialog")).to_have_count(0)
    assert "join=" not in page.url
    expect(host.get_by_test_id("members")).to_contain_text(name)
    host.keyboard.press("Escape")


def test_a_team_has_one_sitting_and_sees_who_marked_what(
    browser: Browser, demo_stack: RunningStack, page: Page
) -> None:
    go(page, "/?q=cat")
    good, *_ = marked(page, "g")
    with new_page(browser, demo_stack.url) as ann:
        joined(page, ann, "Ann")
        expect(page.get_by_test_id("team")).to_have_text("Together (2)")
        go(ann, "/?q=cat")
        shows(ann, good, "good")
        expect(spot(ann, good).get_by_test_id("marked-by")).to_contain_text("Host")
        before = places(page)
        bad, gone = ids(ann)[1:3]
        for item, mark in ((bad, "bad"), (gone, "hidden")):
            spot(ann, item).hover()
            spot(ann, item).get_by_test_id(f"mark-{mark}").click()
        shows(page, bad, "bad")
        shows(page, gone, "hidden")
        expect(spot(page, bad).get_by_test_id("marked-by")).to_contain_text("Ann")
        expect(spot(page, good).get_by_test_id("marked-by")).to_have_count(0)
        assert places(page) == before, "what others do moves nothing"
        # Each takes back what is theirs.
        page.get_by_test_id("hit").first.focus()
        page.keyboard.press("u")
        expect(spot(ann, good)).not_to_have_attribute("data-mark", "good")
        shows(ann, bad, "bad")
        ann.get_by_test_id("query").fill("red fruit")
        ann.get_by_test_id("query").press("Enter")
        expect(ann).to_have_url(re.compile("q=red"))
        answered(ann)
        page.keyboard.press("h")
        expect(page.get_by_test_id("past").filter(has_text="red fruit").first).to_contain_text("Ann")
        page.keyboard.press("Escape")
        ann.reload()
        answered(ann)
        ann.keyboard.press("t")
        expect(ann.get_by_test_id("members")).to_contain_text("Ann (you)")
        ann.get_by_test_id("leave").click()
        ann.goto("/?q=cat")
        answered(ann)
        expect(ann.locator("[data-mark]")).to_have_count(0)


def test_a_page_whose_sitting_was_ended_goes_on_in_another(page: Page, demo_stack: RunningStack) -> None:
    go(page, "/?q=cat")
    with page.expect_response(lambda answer: answer.url.endswith("/marks")):
        [good] = marked(page, "g")
    kept = "() => localStorage.getItem('clipline.session')"
    session = page.evaluate(kept)
    httpx.delete(f"{demo_stack.url}/v1/sessions/{session}", timeout=60, trust_env=False).raise_for_status()
    expect(page.locator("[data-mark]")).to_have_count(0)
    assert page.evaluate(kept) != session
    with page.expect_response(lambda answer: answer.url.endswith("/marks") and answer.ok):
        marked(page, "g")
    shows(page, good, "good")


def test_tabs_whose_sitting_was_ended_are_in_one_again(page: Page, demo_stack: RunningStack) -> None:
    tabs = [page, page.context.new_page(), page.context.new_page()]
    for tab in tabs:
        go(tab, "/?q=cat")
        tab.keyboard.press("t")
        expect(tab.get_by_test_id("join-link")).to_be_visible()
    [(_, session)] = {shared_by(tab) for tab in tabs}
    httpx.delete(f"{demo_stack.url}/v1/sessions/{session}", timeout=60, trust_env=False).raise_for_status()
    for tab in tabs:
        expect(tab.get_by_test_id("join-link")).not_to_have_value(re.compile(session))
    until(lambda: len({found for tab in tabs for found in shared_by(tab)}) == 1, WITHIN_MS / 1000)


def shared_by(page: Page) -> tuple[str, str]:
    """The session that the tab's link joins, and the one that the browser keeps for the next load."""
    link = page.get_by_test_id("join-link").input_value()
    return link.partition("join=")[2], str(page.evaluate("() => localStorage.getItem('clipline.session')"))


def test_a_link_leads_to_the_collection_in_which_the_others_are(
    browser: Browser, demo_stack: RunningStack, page: Page, albums: str
) -> None:
    go(page, f"/?q=cat&c={albums}")
    with new_page(browser, demo_stack.url) as ann:
        joined(page, ann, "Ann")
        expect(ann.get_by_test_id("collection")).to_have_value(albums)


def test_a_sitting_that_is_over_is_told(page: Page) -> None:
    page.goto("/?join=nobody-has-this")
    page.get_by_test_id("join-name").fill("Ann")
    page.get_by_test_id("join-submit").click()
    expect(page.get_by_role("alert")).to_contain_text("This sitting is over")


def test_when_the_server_refuses_marks_count_in_the_tab_and_are_sent_later(page: Page) -> None:
    def refuse(route: Route) -> None:
        problem = '{"type": "queue-away", "title": "Redis is away", "status": 503, "retryable": true}'
        route.fulfill(status=503, content_type="application/problem+json", body=problem)

    go(page, "/?q=cat")
    page.route("**/marks", refuse)
    gone = ids(page)[0]
    page.get_by_test_id("hit").first.focus()
    page.keyboard.press("x")
    expect(page.get_by_test_id("not-kept")).to_contain_text("Redis is away")
    shows(page, gone, "hidden")
    page.get_by_test_id("query").fill("a cat")
    page.get_by_test_id("query").press("Enter")
    expect(page.locator(f'[data-id="{gone}"]')).to_have_count(0)
    page.unroute("**/marks")
    expect(page.get_by_test_id("not-kept")).to_have_count(0)
    page.reload()
    answered(page)
    assert gone not in ids(page)


@pytest.mark.parametrize("look", LOOKS)
def test_the_dialogs_are_sound(browser: Browser, demo_stack: RunningStack, look: str) -> None:
    with new_page(browser, demo_stack.url, **LOOKS[look]) as page:
        go(page, "/?q=cat")
        marked(page)
        for key, dialog in (("h", "history-dialog"), ("t", "team-dialog")):
            page.keyboard.press(key)
            expect(page.get_by_test_id(dialog)).to_be_visible()
            sound(page)
            page.keyboard.press("Escape")
            expect(page.get_by_test_id(dialog)).to_have_count(0)
        page.goto("/?join=x")
        expect(page.get_by_test_id("join-dialog")).to_be_visible()
        sound(page)
