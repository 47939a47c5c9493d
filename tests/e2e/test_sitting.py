"""A whole sitting on the search page: page on, hide, mark, refine, filter, group, undo; one key or one click each."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.browser import new_page
from tests.e2e.conftest import ALBUMS, PER_ALBUM, RunningStack

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def answered(page: Page) -> None:
    expect(page.locator("section[aria-label=Results]")).to_have_attribute("aria-busy", "false")
    expect(page.get_by_test_id("hit").first).to_be_visible()


def go(page: Page, address: str) -> None:
    page.goto(address)
    answered(page)


def ids(page: Page) -> list[str]:
    found: list[str] = page.get_by_test_id("hit").evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")
    return found


def spot(page: Page, item: str) -> Locator:
    return page.locator("li.spot", has=page.locator(f'[data-id="{item}"]'))


def places(page: Page) -> Any:
    """Where every tile stands."""
    return page.get_by_test_id("hit").evaluate_all(
        "tiles => tiles.map(tile => [tile.dataset.id, tile.offsetLeft, tile.getBoundingClientRect().top + scrollY])"
    )


def test_a_line_divides_what_is_likely_from_the_rest(page: Page) -> None:
    go(page, "/?q=cat&c=pictograms")
    divider = page.get_by_test_id("less-likely")
    expect(divider).to_have_text("less likely from here")
    before = divider.evaluate("line => [...line.parentElement.children].indexOf(line)")
    scores = [float(score) for score in page.locator(".tile-score").all_inner_texts()]
    assert 0 < before < len(scores)
    assert scores[before - 1] >= scores[before]
    placed, shown = places(page)[:before], len(scores)
    page.keyboard.press("n")
    expect(page.get_by_test_id("hit")).to_have_count(2 * shown)
    assert places(page)[:before] == placed
    expect(divider).to_have_count(1)


def test_a_sitting_by_keyboard(page: Page) -> None:
    go(page, "/?q=cat")
    before = places(page)
    good, bad, gone = ids(page)[:3]
    page.get_by_test_id("hit").first.focus()
    for key in ("g", "ArrowRight", "b", "ArrowRight", "x"):
        page.keyboard.press(key)
    for item, mark in ((good, "good"), (bad, "bad"), (gone, "hidden")):
        expect(spot(page, item)).to_have_attribute("data-mark", mark)
    assert places(page) == before, "nothing moves when something is marked"

    page.keyboard.press("n")
    expect(page.get_by_test_id("hit")).to_have_count(96)
    assert len(set(ids(page))) == 96
    assert places(page)[:48] == before

    page.keyboard.press("r")
    expect(page).to_have_url(re.compile(f"like={good}&unlike={bad}"))
    expect(page.get_by_test_id("examples-chip")).to_have_text(re.compile("1 good, 1 bad"))
    answered(page)
    expect(page.locator(f'[data-id="{gone}"]')).to_have_count(0)
    assert not {good, bad, gone} & set(ids(page))
    expect(page.get_by_test_id("hit").first).to_be_focused()
    refined, shared = ids(page), page.url

    page.keyboard.press("u")
    expect(page.get_by_test_id("examples-chip")).to_have_count(0)
    page.keyboard.press("u")
    answered(page)
    expect(spot(page, good)).to_have_attribute("data-mark", "good")

    page.goto(shared)
    answered(page)
    # What undo took back was hidden when the address was made.
    assert [one for one in ids(page) if one != gone][:5] == refined[:5], "the address reproduces the query"


def test_an_opened_picture_leads_on_past_the_last_one_that_is_shown(page: Page) -> None:
    go(page, "/?q=cat")
    page.get_by_test_id("hit").last.click()
    name = page.get_by_role("heading", level=2)
    last = name.text_content() or ""
    page.keyboard.press("ArrowRight")
    expect(name).not_to_have_text(last)
    expect(page.get_by_test_id("hit")).to_have_count(96)
    page.keyboard.press("ArrowLeft")
    expect(name).to_have_text(last)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("hit").nth(48)).to_be_focused()
    expect(page.get_by_test_id("hit").nth(48)).to_be_in_viewport()
    go(page, "/?q=cat&f=group%3A%22flags%22")
    page.get_by_test_id("hit").last.click()
    expect(page.get_by_role("button", name="The previous picture")).to_be_visible()
    expect(page.get_by_role("button", name="The next picture")).to_have_count(0)


def test_what_is_hidden_stays_hidden_in_every_later_search(page: Page) -> None:
    go(page, "/?q=cat")
    gone = ids(page)[0]
    spot(page, gone).hover()
    spot(page, gone).get_by_test_id("mark-hidden").click()
    expect(page.get_by_test_id("last-step")).to_contain_text("hidden")
    page.get_by_test_id("query").fill("a cat")
    page.get_by_test_id("query").press("Enter")
    expect(page.locator(f'[data-id="{gone}"]')).to_have_count(0)
    page.reload()
    answered(page)
    assert gone not in ids(page)


def test_filters_are_reached_and_left_by_their_key(page: Page) -> None:
    go(page, "/?q=red")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("f")
    values = page.get_by_test_id("facet-value")
    expect(values.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("f="))
    answered(page)
    expect(values.first).to_be_focused()
    page.keyboard.press("f")
    expect(page.get_by_test_id("facets")).to_have_count(0)
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("f")
    expect(page.locator('[data-testid="facet-value"][aria-pressed="true"]')).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("hit").first).to_be_focused()


def test_filters_are_reached_by_their_key_though_other_pictures_come_meanwhile(page: Page, albums: str) -> None:
    held: list[Route] = []
    page.route("**/facets", lambda route: held.append(route))
    go(page, f"/?q=cat&c={albums}")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("f")
    page.keyboard.press("o")
    expect(page.get_by_test_id("hit")).to_have_count(ALBUMS)
    expect(page.get_by_test_id("hit").first).to_be_focused()
    assert held
    for route in held:
        route.continue_()
    expect(page.get_by_test_id("facet-value").first).to_be_focused()


def test_filters_have_counts_and_stay_where_they_are(page: Page) -> None:
    go(page, "/?q=red")
    page.get_by_test_id("filters").click()
    value = page.get_by_role("group", name="group", exact=True).get_by_test_id("facet-value").first
    # Every picture has a label of its own: that would filter nothing.
    expect(page.get_by_role("group", name="label", exact=True)).to_have_count(0)
    expect(value).to_have_text(re.compile(r"\w+ [\d,]+"))
    named = value.inner_text().split()[0]
    where = value.bounding_box()
    value.click()
    expect(page).to_have_url(re.compile("f=group"))
    answered(page)
    expect(value).to_have_attribute("aria-pressed", "true")
    assert value.bounding_box() == where
    page.get_by_test_id("hit").first.click()
    expect(page.get_by_test_id("payload")).to_contain_text(named)
    page.keyboard.press("Escape")
    page.get_by_test_id("undo").click()
    expect(value).to_have_attribute("aria-pressed", "false")
    assert "f=group" not in page.url


def test_groups_are_shown_by_one_picture_hidden_whole_and_have_their_strip(page: Page, albums: str) -> None:
    go(page, f"/?q=cat&c={albums}")
    expect(page.get_by_test_id("hit")).to_have_count(ALBUMS * PER_ALBUM)
    page.get_by_test_id("groups").click()
    expect(page.get_by_test_id("hit")).to_have_count(ALBUMS)
    expect(page.get_by_test_id("exhausted")).to_be_visible()
    page.get_by_test_id("hit").first.focus()
    page.keyboard.press("v")
    expect(page.get_by_test_id("last-step")).to_contain_text("album-")
    page.get_by_test_id("groups").click()
    expect(page.get_by_test_id("hit")).to_have_count((ALBUMS - 1) * PER_ALBUM)
    page.get_by_test_id("hit").first.click()
    strip = page.get_by_test_id("strip").get_by_role("button")
    expect(strip.nth(1)).to_be_visible()
    expect(page.locator('[data-testid="strip"] [aria-current="true"]')).to_have_count(1)
    found = page.locator('[data-testid="strip"] [data-found]').get_attribute("aria-label")
    name = page.get_by_role("heading", level=2)
    where = strip.last.bounding_box()
    strip.nth(1).click()
    expect(strip.nth(1)).to_have_attribute("aria-current", "true")
    assert name.inner_text() != (found or "").removesuffix(", the one found")
    assert strip.last.bounding_box() == where, "the strip stays while one looks along it"
    expect(page.get_by_test_id("payload")).not_to_contain_text("similarity")
    # At its end the strip goes on to what comes further.
    before = (strip.first.get_attribute("aria-label") or "").removesuffix(", the one found")
    page.keyboard.press(",")
    expect(name).to_have_text(before)
    page.keyboard.press("g")
    expect(page.get_by_test_id("last-step")).to_contain_text("marked as good")
    expect(page.locator('[data-testid="strip"] [aria-current="true"]')).to_have_attribute("data-mark", "good")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("payload")).to_contain_text("similarity")
    expect(page.locator('[data-testid="strip"] [aria-current="true"][data-found]')).to_have_count(1)
    page.keyboard.press("." if strip.first.get_attribute("aria-current") == "true" else ",")
    expect(page.get_by_test_id("payload")).not_to_contain_text("similarity")
    page.keyboard.press("s")
    expect(page.get_by_test_id("similar-chip")).to_be_visible()
    answered(page)
    expect(page.get_by_test_id("viewer")).to_have_count(0)
    expect(page.get_by_test_id("hit").first).to_be_focused()


def test_the_keyboard_goes_on_where_the_next_pictures_are(page: Page) -> None:
    go(page, "/?q=cat")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("n")
    expect(page.get_by_test_id("hit").nth(48)).to_be_focused()
    expect(page.get_by_test_id("hit").nth(48)).to_be_in_viewport(ratio=1)
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")  # past the last row there is more
    expect(page.get_by_test_id("hit").nth(96)).to_be_focused()
    page.keyboard.press("s")
    answered(page)
    expect(page.get_by_test_id("hit").first).to_be_focused()
    expect(page.get_by_test_id("hit").first).to_be_in_viewport(ratio=1)
    page.keyboard.press("/")
    page.keyboard.type("dog")
    answered(page)
    expect(page.get_by_test_id("query")).to_be_focused()


def test_similar_ones_and_hiding_a_group_are_one_click(page: Page, albums: str) -> None:
    go(page, f"/?q=cat&c={albums}")
    first = page.locator("li.spot").first
    first.hover()
    first.get_by_test_id("tile-hide-group").click()
    expect(page.locator('[data-mark="hidden"]')).to_have_count(PER_ALBUM)
    page.get_by_test_id("history").click()
    page.get_by_test_id("forget-hidden").click()
    page.keyboard.press("Escape")
    expect(page.locator('[data-mark="hidden"]')).to_have_count(0)
    first.hover()
    first.get_by_test_id("tile-similar").click()
    expect(page.get_by_test_id("similar-chip")).to_be_visible()


def test_rare_values_come_when_they_are_asked_for(page: Page) -> None:
    go(page, "/?q=red")
    page.get_by_test_id("filters").click()
    field = page.get_by_role("group", name="subgroup", exact=True)
    values = field.get_by_test_id("facet-value")
    expect(values).to_have_count(12)
    more = field.get_by_test_id("more-values")
    expect(more).to_have_text(re.compile(r"^\d+ more$"))
    rare = int(more.inner_text().split()[0])
    more.press("Enter")
    expect(values).to_have_count(12 + rare)
    expect(values.nth(12)).to_be_focused()


def test_values_of_one_field_are_alternatives_with_their_own_counts(page: Page, albums: str) -> None:
    go(page, f"/?q=cat&c={albums}&f=album:%22album-1%22")
    values = page.get_by_role("group", name="album", exact=True).get_by_test_id("facet-value")
    expect(values).to_have_count(ALBUMS)
    assert [text.split() for text in values.all_inner_texts()] == [
        [f"album-{n}", str(PER_ALBUM)] for n in range(ALBUMS)
    ]
    values.nth(2).click()
    expect(page.get_by_test_id("hit")).to_have_count(2 * PER_ALBUM)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_keys_are_told_by_one(browser: Browser, demo_stack: RunningStack, *, dark: bool) -> None:
    with new_page(browser, demo_stack.url, dark=dark) as page:
        go(page, "/?q=cat")
        page.get_by_test_id("hit").first.focus()
        page.keyboard.press("?")
        expect(page.get_by_test_id("keys-dialog")).to_contain_text("pictures like it")
        sound(page)
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("hit").first).to_be_focused()


LOOKS: dict[str, dict[str, Any]] = {"light": {}, "dark": {"dark": True}, "phone": {"width": 390}}


@pytest.mark.parametrize("look", LOOKS)
def test_the_page_is_sound_in_the_middle_of_a_sitting(
    browser: Browser, demo_stack: RunningStack, albums: str, look: str
) -> None:
    with new_page(browser, demo_stack.url, **LOOKS[look]) as page:
        go(page, f"/?q=cat&c={albums}")
        page.get_by_test_id("filters").click()
        expect(page.get_by_test_id("facet-value").first).to_be_visible()
        page.get_by_test_id("hit").first.focus()
        for key in ("g", "ArrowRight", "b", "ArrowRight", "x"):
            page.keyboard.press(key)
        sound(page)
        page.get_by_test_id("hit").last.click()
        expect(page.get_by_test_id("strip").get_by_role("button").first).to_be_visible()
        sound(page)


def sound(page: Page) -> None:
    found: dict[str, Any] = page.evaluate(AXE.read_text() + ";axe.run()")
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
