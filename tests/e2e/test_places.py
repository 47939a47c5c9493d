"""Places among the filters of the search page: typed, near a picture, and drawn on a plot."""

import json
import re

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browser import new_page
from tests.e2e.conftest import INDEXED_S, RunningStack
from tests.e2e.running import until
from tests.e2e.test_ranges import counts, end, field, shown
from tests.e2e.test_sitting import LOOKS, answered, go, sound

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 8
NOWHERE = 7
HOME = "/?q=cat&c=placed"
CIRCLE = f"{HOME}&a=place:47.2,8,12km"


@pytest.fixture(scope="module")
def placed(demo_stack: RunningStack) -> str:
    """Picture n lies n times 11 km north of the first; the last one nobody knows where."""
    pictures = sorted((demo_stack.data / "demo" / "pictograms").glob("*.png"))[:COUNT]
    payloads = [{"label": f"n{n}", "kind": "odd" if n % 2 else "even", **place(n)} for n in range(COUNT)]
    with httpx.Client(base_url=demo_stack.url, trust_env=False, timeout=60) as client:
        schema = {"kind": "keyword", "place": "geo"}
        client.put("/v1/collections/placed", json={"payload": schema}).raise_for_status()
        files = [("files", (picture.name, picture.read_bytes(), "image/png")) for picture in pictures]
        client.post(
            "/v1/collections/placed/items", files=files, data={"payload": json.dumps(payloads)}
        ).raise_for_status()
        until(lambda: client.get("/v1/collections/placed").json()["count"] == COUNT, INDEXED_S)
    return "placed"


def place(n: int) -> dict[str, dict[str, float]]:
    return {} if n == NOWHERE else {"place": {"lat": round(47 + n / 10, 1), "lon": 8.0}}


def tile(page: Page, n: int) -> Locator:
    return page.locator("li.spot", has=page.get_by_text(f"n{n}", exact=True))


def dots(page: Page) -> list[tuple[str, bool]]:
    """Whose they are, and whether that is shown now."""
    found: list[list[object]] = page.locator(".plot-dots circle").evaluate_all(
        "dots => dots.map(dot => [dot.textContent, dot.classList.contains('now')])"
    )
    return sorted((str(name), bool(now)) for name, now in found)


def dot(page: Page, n: int) -> tuple[float, float]:
    """Where it stands on the screen."""
    box = page.locator(".plot-dots circle", has_text=f"n{n}").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, begin: tuple[float, float], stop: tuple[float, float], *, drop: bool = True) -> None:
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*stop, steps=3)
    if drop:
        page.mouse.up()


def test_a_circle_and_a_box_are_typed_shared_and_taken_back(page: Page, placed: str) -> None:
    go(page, HOME)
    page.get_by_test_id("filters").click()
    end(page, "place around").fill("47°12′ N, 8° E")
    page.keyboard.press("Tab")
    expect(end(page, "place within km of it")).to_be_focused()
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    shown(page, 1, 2, 3)
    expect(page).to_have_url(re.compile("a=place%3A47.2%2C8%2C12km"))
    expect(end(page, "place around")).to_have_value("47°12′ N, 8° E")
    counts(page, "kind", "even 1", "odd 2")
    chips = page.get_by_test_id("range-chip")
    expect(chips).to_have_text("place within 12 km of 47.2, 8")
    expect(page.get_by_test_id("last-step")).to_have_text("filtered by place within 12 km of 47.2, 8")
    expect(page.get_by_test_id("filters")).to_have_text("Filters (1)")

    page.goto(page.url)
    shown(page, 1, 2, 3)
    expect(end(page, "place around")).to_have_value("47.2, 8")
    page.get_by_test_id("area-box").click()
    end(page, "place from the south-west corner").fill("46.95, 7.9")
    end(page, "place to the north-east corner").fill("47.15, 8.1")
    shown(page, 0, 1)
    expect(chips).to_have_text("place between 46.95, 7.9 and 47.15, 8.1")
    page.get_by_test_id("undo").click()
    shown(page, 1, 2, 3)
    expect(page.get_by_test_id("area-circle")).to_have_attribute("aria-pressed", "true")
    expect(end(page, "place within km of it")).to_have_value("12")
    page.get_by_role("button", name="Stop filtering by place").click()
    shown(page, *range(COUNT))
    expect(page.get_by_test_id("hit").first).to_be_focused()
    expect(end(page, "place around")).to_have_value("")
    page.get_by_test_id("history").click()
    page.get_by_test_id("past").filter(has_text="place between 46.95, 7.9 and 47.15, 8.1").click()
    shown(page, 0, 1)
    expect(page.get_by_test_id("area-box")).to_have_attribute("aria-pressed", "true")


def test_what_is_no_place_is_said_with_its_field_and_asks_for_nothing(page: Page, placed: str) -> None:
    go(page, CIRCLE)
    shown(page, 1, 2, 3)
    address, wrong = page.url, page.get_by_test_id("area-wrong")
    end(page, "place around").fill("Zürich")
    expect(wrong).to_have_text("place: That is no place: give latitude and longitude, as 47.37, 8.54.")
    expect(end(page, "place around")).to_have_attribute("aria-invalid", "true")
    sound(page)
    end(page, "place around").fill("47.2, 8")
    end(page, "place within km of it").fill("0")
    expect(wrong).to_have_text("place: The radius is a number of kilometres, at most 30000.")
    page.get_by_test_id("area-box").click()
    expect(wrong).to_be_empty()
    end(page, "place from the south-west corner").fill("47.15, 8.1")
    end(page, "place to the north-east corner").focus()
    expect(wrong).to_be_empty()
    page.get_by_test_id("query").focus()
    expect(wrong).to_have_text("place: The other corner is missing.")
    end(page, "place to the north-east corner").fill("46.95, 7.9")
    expect(wrong).to_have_text("place: The first corner is the south-west one: it lies south of the second.")
    shown(page, 1, 2, 3)
    assert page.url == address


def test_near_a_picture_by_a_key_and_by_a_click(page: Page, placed: str) -> None:
    go(page, HOME)
    tile(page, 1).get_by_test_id("hit").focus()
    page.keyboard.press("p")
    # Seven of the others are not known to lie anywhere near: the circle is the usual one.
    expect(page).to_have_url(re.compile("a=place%3A47.1%2C8%2C10km"))
    shown(page, 1)
    page.keyboard.press("u")
    shown(page, *range(COUNT))
    tile(page, NOWHERE).get_by_test_id("hit").focus()
    page.keyboard.press("p")
    expect(tile(page, NOWHERE).get_by_test_id("tile-similar")).to_have_count(1)
    expect(tile(page, NOWHERE).get_by_test_id("tile-near")).to_have_count(0)
    shown(page, *range(COUNT))

    go(page, CIRCLE)
    tile(page, 3).hover()
    tile(page, 3).get_by_test_id("tile-near").click()
    # As wide as the circle that was there.
    expect(page).to_have_url(re.compile("a=place%3A47.3%2C8%2C12km"))
    shown(page, 2, 3, 4)
    tile(page, 4).get_by_test_id("hit").click()
    expect(page.get_by_test_id("payload")).to_contain_text("47.4, 8")
    page.get_by_test_id("find-near").click()
    shown(page, 3, 4, 5)
    expect(page.get_by_test_id("viewer")).to_have_count(0)
    expect(page.get_by_test_id("range-chip")).to_have_text("place within 12 km of 47.4, 8")


def test_a_circle_and_a_box_are_drawn_among_the_pictures(page: Page, placed: str) -> None:
    go(page, HOME)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("m")
    plot = page.get_by_test_id("plot")
    expect(plot).to_be_focused()
    assert dots(page) == [(f"n{n}", True) for n in range(NOWHERE)]
    middle, rim = dot(page, 2), dot(page, 3)
    drag(page, middle, (middle[0], rim[1] - 3))
    shown(page, 1, 2, 3)
    assert dots(page) == [(f"n{n}", n in {1, 2, 3}) for n in range(NOWHERE)]
    assert dot(page, 2) == middle, "nothing moves"
    expect(page.get_by_test_id("plot-note")).to_contain_text("3 places of what is shown, 4 more from before.")
    drag(page, rim, middle, drop=False)
    expect(page.locator(".plot-area.draft")).to_have_count(1)
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator(".plot-area.draft")).to_have_count(0)
    shown(page, 1, 2, 3)
    page.mouse.click(*dot(page, 5))
    shown(page, 4, 5, 6)
    expect(end(page, "place around")).to_have_value("47.5, 8")

    page.get_by_test_id("area-box").click()
    (x, low), (_, high) = dot(page, 1), dot(page, 2)
    drag(page, (x + 9, high - 5), (x - 9, low + 5))
    shown(page, 1, 2)
    expect(page).to_have_url(re.compile(r"a=place%3A47\.\d+%2C[78]\.\d+\.\.47\.\d+%2C8\.\d+"))
    page.keyboard.press("m")
    expect(plot).to_have_count(0)
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("u")
    shown(page, 4, 5, 6)


def test_the_keys_draw_too_and_ask_when_they_pause(page: Page, placed: str) -> None:
    go(page, f"{HOME}&a=place:47.2,8,5km")
    shown(page, 2)
    page.keyboard.press("m")
    page.get_by_test_id("plot-all").click()
    page.get_by_test_id("plot").focus()
    for _ in range(5):
        page.keyboard.press("+")
    expect(page.locator(".plot-area.draft")).to_have_count(1)
    page.keyboard.press("Enter")
    shown(page, 1, 2, 3)
    expect(end(page, "place within km of it")).to_have_value("15.3")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".plot-area.draft")).to_have_count(0)
    expect(end(page, "place around")).not_to_have_value("47.2, 8")
    page.get_by_test_id("undo").click()
    expect(end(page, "place around")).to_have_value("47.2, 8")
    # What is typed is shown, wherever it is.
    end(page, "place around").fill("-33.9, 151.2")
    expect(page.get_by_test_id("nothing")).to_be_visible()
    assert page.get_by_test_id("plot-area").is_visible()
    assert len(dots(page)) == 3, "those of before"


@pytest.mark.parametrize("look", LOOKS)
def test_the_filters_with_places_are_sound(browser: Browser, demo_stack: RunningStack, placed: str, look: str) -> None:
    with new_page(browser, demo_stack.url, **LOOKS[look]) as page:
        go(page, CIRCLE)
        page.get_by_test_id("plot-toggle").click()
        expect(page.get_by_test_id("plot-area")).to_be_visible()
        sound(page)
        page.get_by_test_id("area-box").click()
        end(page, "place from the south-west corner").fill("x")
        page.keyboard.press("Enter")
        expect(field(page, "place").get_by_test_id("area-wrong")).not_to_be_empty()
        answered(page)
        sound(page)


def test_on_a_phone_a_finger_draws_and_the_plot_stays_under_it(
    browser: Browser, demo_stack: RunningStack, placed: str
) -> None:
    with new_page(browser, demo_stack.url, **LOOKS["phone"]) as page:
        go(page, HOME)
        page.get_by_test_id("filters").click()
        page.get_by_test_id("plot-toggle").click()
        page.evaluate("scrollTo(0, 200)")
        middle, rim = dot(page, 4), dot(page, 5)
        finger(page, [middle, (middle[0], rim[1]), (middle[0], rim[1] - 3)])
        shown(page, 3, 4, 5)
        assert page.evaluate("scrollY") > 0
        assert dot(page, 4) == pytest.approx(middle, abs=1)


def finger(page: Page, way: list[tuple[float, float]]) -> None:
    """As a touch screen tells of it."""
    touch = page.context.new_cdp_session(page)
    kinds = ["touchStart", *["touchMove" for _ in way[1:]], "touchEnd"]
    for kind, spots in zip(kinds, [*[[spot] for spot in way], []], strict=True):
        points = [{"x": x, "y": y} for x, y in spots]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
