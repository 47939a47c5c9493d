"""Videos on the search page: time stamps, a shot's moment with its neighbours, and one thing after another."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import new_page
from tests.e2e.conftest import RunningStack
from tests.e2e.running import clipline
from tests.e2e.test_sitting import LOOKS, answered, go, sound
from tests.workers.ingest.clips import RATE, Picture, write_clip

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIDE = 160
SHOT_S = 2
# Which pictograms follow each other, two seconds each.
VIDEOS = {
    "market.mp4": ("cat", "red apple", "guitar"),
    "concert.mp4": ("guitar", "bus", "red apple"),
    "street.mp4": ("bus", "guitar", "cat"),
}
FILES = {"cat": "cat", "red apple": "red-apple", "guitar": "guitar", "bus": "bus"}


def picture(path: Path) -> Picture:
    drawn = Image.open(path).convert("RGBA").resize((SIDE, SIDE))
    ground = Image.new("RGBA", drawn.size, "white")
    return np.asarray(Image.alpha_composite(ground, drawn).convert("RGB"))


@pytest.fixture(scope="module")
def clips(demo_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A collection of real videos, whose shots are pictures of the sample collection."""
    drawn = {name: picture(demo_stack.data / "demo" / "pictograms" / f"{file}.png") for name, file in FILES.items()}
    folder = tmp_path_factory.mktemp("videos")
    for name, shots in VIDEOS.items():
        frames = [drawn[shot] for shot in shots for _ in range(round(SHOT_S * RATE))]
        write_clip(folder / name, frames, size=(SIDE, SIDE))
    done = clipline("ingest", str(folder), "--collection", "clips", "--json", url=demo_stack.url)
    assert done.returncode == 0, done.stderr
    return "clips"


def test_shots_have_time_stamps_and_a_moment_among_their_neighbours(page: Page, clips: str) -> None:
    go(page, f"/?q=guitar&c={clips}")
    expect(page.get_by_test_id("hit")).to_have_count(9)
    best = page.get_by_test_id("hit").first
    expect(best.locator(".stamp")).to_have_text(re.compile(r"^0:0[0-5]$"))
    best.click()
    expect(page.get_by_test_id("moment")).to_have_text(re.compile(r"0:0\d\.\d – 0:0\d\.\d · 2\.0 s long"))
    shots = page.get_by_test_id("strip").get_by_role("button")
    expect(shots).to_have_count(3)
    assert shots.locator(".stamp").all_inner_texts() == sorted(shots.locator(".stamp").all_inner_texts())
    expect(shots.first).to_have_attribute("aria-label", re.compile("^.* at 0:0[01]"))
    expect(page.locator('[data-testid="strip"] [aria-current="true"]')).to_have_count(1)


def test_one_thing_after_another_is_found_in_its_order(page: Page, clips: str) -> None:
    go(page, f"/?q=cat&c={clips}")
    page.get_by_test_id("hit").first.focus()
    page.keyboard.press("2")
    expect(page.get_by_test_id("then")).to_be_focused()
    page.get_by_test_id("then").fill("guitar")
    page.get_by_test_id("then").press("Enter")
    expect(page).to_have_url(re.compile(r"then=guitar"))
    first = page.get_by_test_id("sequence").first
    # Elsewhere the guitar comes before the cat, or there is no cat.
    expect(first).to_contain_text("market.mp4")
    expect(first).to_contain_text("2.0 s later")
    assert [stamp.split(":")[0] for stamp in first.locator(".stamp").all_inner_texts()] == ["0", "0"]
    cat, guitar = first.get_by_test_id("hit").all()
    assert cat.locator(".stamp").inner_text() < guitar.locator(".stamp").inner_text()
    expect(page.get_by_test_id("status")).to_contain_text("sequence")

    page.get_by_test_id("within").fill("1")
    expect(page).to_have_url(re.compile("within=1"))
    answered(page)
    expect(page.get_by_test_id("sequence").filter(has_text="market.mp4").first).not_to_contain_text("2.0 s later")
    shared = page.url
    page.go_back()
    page.goto(shared)
    answered(page)
    expect(page.get_by_test_id("then")).to_have_value("guitar")
    expect(page.get_by_test_id("within")).to_have_value("1")
    expect(page.get_by_test_id("sequence").first).to_be_visible()


def test_three_things_in_a_row_by_keyboard(page: Page, clips: str) -> None:
    go(page, f"/?q=cat&c={clips}")
    expect(page.get_by_test_id("add-then")).to_be_disabled()
    page.get_by_test_id("hit").first.focus()
    page.keyboard.press("2")
    page.keyboard.type("red apple")
    page.keyboard.press("Enter")
    answered(page)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("hit").first).to_be_focused()
    page.keyboard.press("3")
    expect(page.get_by_test_id("then").nth(1)).to_be_focused()
    page.keyboard.type("guitar")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"then=red\+apple&then=guitar"))
    answered(page)
    first = page.get_by_test_id("sequence").first
    # Only there do all three come in this order.
    expect(first).to_contain_text("market.mp4")
    expect(first.get_by_test_id("hit")).to_have_count(3)
    page.reload()
    answered(page)
    expect(page.get_by_test_id("then")).to_have_count(2)
    page.get_by_test_id("add-then").click()
    expect(page.get_by_test_id("then").nth(2)).to_be_focused()
    expect(page.get_by_test_id("add-then")).to_have_count(0)
    page.get_by_test_id("remove-then").first.click()
    expect(page).to_have_url(re.compile(r"\?q=cat&then=guitar&c="))
    expect(page.get_by_test_id("sequence").first.get_by_test_id("hit")).to_have_count(2)


def test_a_sequence_can_be_marked_walked_opened_and_asked_again(page: Page, clips: str) -> None:
    go(page, f"/?q=bus&then=cat&c={clips}")
    tiles = page.get_by_test_id("sequence").first.get_by_test_id("hit")
    expect(tiles).to_have_count(2)
    tiles.first.focus()
    page.keyboard.press("g")
    expect(page.locator('[data-mark="good"]')).to_have_count(1)
    page.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("moment")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    expect(page.get_by_test_id("last-step")).to_contain_text("hidden")
    page.keyboard.press("h")
    expect(page.get_by_test_id("past").first).to_contain_text("bus · then cat")
    page.keyboard.press("Escape")
    page.reload()
    answered(page)
    expect(page.get_by_test_id("sequence").filter(has_text="street.mp4")).to_have_count(0)


def test_where_items_have_no_times_there_is_no_second_line(page: Page) -> None:
    go(page, "/?q=cat")
    expect(page.get_by_test_id("then")).to_have_count(0)
    expect(page.locator(".tile .stamp")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
def test_sequences_are_sound(browser: Browser, demo_stack: RunningStack, clips: str, look: str) -> None:
    with new_page(browser, demo_stack.url, **LOOKS[look]) as page:
        go(page, f"/?q=cat&then=red+apple&then=guitar&c={clips}")
        expect(page.get_by_test_id("sequence").first).to_be_visible()
        sound(page)
        go(page, f"/?q=cat&then=guitar&c={clips}")
        sound(page)
        page.get_by_test_id("hit").first.click()
        expect(page.get_by_test_id("strip").get_by_role("button").first).to_be_visible()
        sound(page)
