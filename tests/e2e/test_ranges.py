"""From and to of numbers and dates among the filters of the search page."""

import json
import re

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browser import new_page
from tests.e2e.conftest import INDEXED_S, RunningStack
from tests.e2e.running import until
from tests.e2e.test_sitting import LOOKS, answered, go, sound

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 8
SCHEMA = {"kind": "keyword", "year": "integer", "weight": "float", "taken": "datetime", "place": "geo"}


@pytest.fixture(scope="module")
def dated(demo_stack: RunningStack) -> str:
    """Picture n is of the year 1990 + n, and was taken in the last minute of the 20th + n."""
    pictures = sorted((demo_stack.data / "demo" / "pictograms").glob("*.png"))[:COUNT]
    payloads = [
        {
            "label": f"n{n}",
            "kind": "odd" if n % 2 else "even",
            "year": 1990 + n,
            "weight": n / 10,
            "taken": f"2026-11-{20 + n}T23:59:30Z",
        }
        for n in range(COUNT)
    ]
    with httpx.Client(base_url=demo_stack.url, trust_env=False, timeout=60) as client:
        client.put("/v1/collections/dated", json={"payload": SCHEMA}).raise_for_status()
        files = [("files", (picture.name, picture.read_bytes(), "image/png")) for picture in pictures]
        client.post(
            "/v1/collections/dated/items", files=files, data={"payload": json.dumps(payloads)}
        ).raise_for_status()
        until(lambda: client.get("/v1/collections/dated").json()["count"] == COUNT, INDEXED_S)
    return "dated"


def field(page: Page, name: str) -> Locator:
    return page.get_by_test_id("facets").get_by_role("group", name=name, exact=True)


def end(page: Page, name: str) -> Locator:
    """As it is labelled: `year from`."""
    return page.get_by_label(name, exact=True)


def shown(page: Page, *numbers: int) -> None:
    expect(page.get_by_test_id("hit")).to_have_count(len(numbers))
    answered(page)
    assert sorted(page.locator(".tile-name").all_inner_texts()) == [f"n{n}" for n in numbers]


def counts(page: Page, name: str, *wanted: str) -> None:
    expect(field(page, name).get_by_test_id("facet-value")).to_have_text(list(wanted))


def test_a_range_of_numbers_and_one_of_days_leave_what_lies_in_both(page: Page, dated: str) -> None:
    go(page, f"/?q=cat&c={dated}")
    page.get_by_test_id("filters").click()
    counts(page, "kind", "even 4", "odd 4")
    where = end(page, "year from").bounding_box()
    end(page, "year from").fill("1991")
    page.keyboard.press("Tab")
    expect(end(page, "year to")).to_be_focused()
    page.keyboard.type("1995")
    page.keyboard.press("Enter")
    shown(page, 1, 2, 3, 4, 5)
    expect(page).to_have_url(re.compile(r"r=year%3A1991\.\.1995"))
    counts(page, "kind", "even 2", "odd 3")
    assert end(page, "year from").bounding_box() == where
    end(page, "taken to").fill("2026-11-23")
    shown(page, 1, 2, 3)
    end(page, "taken from").fill("2026-11-22")
    shown(page, 2, 3)
    chips = page.get_by_test_id("range-chip")
    expect(chips).to_have_text(["year 1991 – 1995", "taken 2026-11-22 – 2026-11-23"])
    expect(page.get_by_test_id("filters")).to_have_text("Filters (2)")

    page.goto(page.url)
    shown(page, 2, 3)
    expect(end(page, "year to")).to_have_value("1995")
    expect(end(page, "taken from")).to_have_value("2026-11-22")
    page.get_by_role("button", name="Stop filtering by a range of year").click()
    shown(page, 2, 3)
    expect(chips).to_have_text(["taken 2026-11-22 – 2026-11-23"])
    expect(end(page, "year from")).to_have_value("")
    page.get_by_role("button", name="Stop filtering by a range of taken").click()
    shown(page, *range(COUNT))
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.go_back()
    shown(page, 2, 3)
    page.get_by_test_id("no-filters").click()
    shown(page, *range(COUNT))
    expect(chips).to_have_count(0)
    page.get_by_test_id("undo").click()
    shown(page, 2, 3)
    page.get_by_test_id("history").click()
    page.get_by_test_id("past").filter(has_text="year 1991 – 1995").last.click()
    shown(page, 1, 2, 3, 4, 5)


def test_what_cannot_be_asked_for_is_said_where_it_stands_and_asks_for_nothing(page: Page, dated: str) -> None:
    go(page, f"/?q=cat&c={dated}&r=weight:0.2..0.5")
    shown(page, 2, 3, 4, 5)
    address, wrong = page.url, field(page, "weight").get_by_test_id("range-wrong")
    end(page, "weight from").fill("0.9")
    expect(wrong).to_have_text("weight: The first comes after the second: nothing lies between them.")
    expect(end(page, "weight to")).to_have_attribute("aria-invalid", "true")
    sound(page)
    end(page, "weight from").fill("")
    page.keyboard.type("1e")
    expect(wrong).to_have_text("weight: That is not a number.")
    expect(end(page, "weight to")).to_have_attribute("aria-invalid", "false")
    shown(page, 2, 3, 4, 5)
    assert page.url == address
    end(page, "weight from").fill("0.4")
    shown(page, 4, 5)
    expect(wrong).to_be_empty()


def test_a_time_of_day_narrows_a_day_to_its_minute(page: Page, dated: str) -> None:
    go(page, f"/?q=cat&c={dated}&r=taken:2026-11-22..2026-11-23")
    shown(page, 2, 3)
    # They were taken half a minute after it: the last minute belongs to the range as a whole, as a last day does.
    end(page, "taken to time").fill("23:59")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"r=taken%3A2026-11-22\.\.2026-11-23T23%3A59"))
    shown(page, 2, 3)
    end(page, "taken to time").fill("23:58")
    shown(page, 2)
    expect(page.get_by_test_id("range-chip")).to_have_text("taken 2026-11-22 – 2026-11-23 23:58 UTC")
    page.reload()
    shown(page, 2)
    expect(end(page, "taken to time")).to_have_value("23:58")
    end(page, "taken from time").fill("23:59")
    end(page, "taken to").fill("2026-11-22")
    wrong = field(page, "taken").get_by_test_id("range-wrong")
    expect(wrong).to_have_text("taken: The first comes after the second: nothing lies between them.")
    end(page, "taken to time").fill("")
    shown(page, 2)
    expect(wrong).to_be_empty()
    end(page, "taken from").fill("")
    expect(wrong).to_have_text("taken: That time has no day.")
    end(page, "taken from").evaluate(PASTE, "2026-11-21 23:59")
    shown(page, 1, 2)
    expect(end(page, "taken from time")).to_have_value("23:59")


# As a clipboard does it.
PASTE = """(input, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text", text);
    input.focus();
    input.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


@pytest.mark.parametrize("look", LOOKS)
def test_the_filters_with_ranges_are_sound(browser: Browser, demo_stack: RunningStack, dated: str, look: str) -> None:
    with new_page(browser, demo_stack.url, **LOOKS[look]) as page:
        go(page, f"/?q=cat&c={dated}&r=year:1991..1995&r=taken:2026-11-22..2026-11-23")
        expect(end(page, "taken to")).to_be_visible()
        sound(page)
        end(page, "taken to").fill("2026-11-21")
        expect(field(page, "taken").get_by_test_id("range-wrong")).not_to_be_empty()
        sound(page)
