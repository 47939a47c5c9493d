"""The dashboard in a real browser: it follows jobs as they happen; what it does is asked for, done, written down."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from playwright.sync_api import Browser, Page, expect

from shared import tenants
from shared.collections import Collections, from_spec
from shared.connection import connect
from shared.fleet import Fleet
from shared.jobs import CollectionSpec, State
from shared.queue import Queue
from shared.settings import Settings
from tests.api.serving import Api, serving
from tests.api.stand_in import heartbeat
from tests.e2e.browser import new_page
from tests.e2e.running import RunningStack, ready, until
from tests.shared.hand import Hand, a_search

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
TABS = ("overview", "jobs", "dead", "workers", "collections", "tenants", "trail")
RESTART_S = 120.0


class Backstage:
    """The worker's side of the queue, by hand, so that a test says when what happens."""

    def __init__(self, settings: Settings, portal: BlockingPortal) -> None:
        self.settings = settings
        self.portal = portal

    def submit(self, text: str, tenant: str = "default") -> str:
        return self.portal.call(self._submit, text, tenant)

    def run(self, job_id: str, state: State) -> None:
        self.portal.call(self._run, job_id, state)

    def beat(self) -> None:
        self.portal.call(self._beat)

    async def _submit(self, text: str, tenant: str) -> str:
        async with connect(self.settings) as redis:
            await Collections(redis).put(tenant, from_spec("pictures", CollectionSpec()))
            return (await Queue(redis, self.settings).submit(a_search(text), tenant=tenant)).id

    async def _run(self, job_id: str, state: State) -> None:
        async with connect(self.settings) as redis:
            hand = Hand(redis, self.settings)
            assert await hand.claim() == [job_id]
            assert await hand.finish(job_id, state)

    async def _beat(self) -> None:
        async with connect(self.settings) as redis:
            await Fleet(redis).beat(heartbeat())


@pytest.fixture
def backstage(settings: Settings) -> Iterator[Backstage]:
    with start_blocking_portal() as portal:
        yield Backstage(settings, portal)


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    with serving(settings) as running:
        yield running


@pytest.fixture
def site(api: Api) -> str:
    return api.url


def go(page: Page, address: str = "") -> None:
    page.goto(f"/dashboard{address}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_test_id("live")).to_have_attribute("data-state", "open")


def confirm(page: Page, said: str | re.Pattern[str]) -> None:
    page.get_by_test_id("confirm-yes").click()
    expect(page.get_by_test_id("said")).to_have_text(said)


def violations(page: Page) -> list[Any]:
    """What axe-core has against the page as it stands: rules and where they are broken."""
    found: dict[str, Any] = page.evaluate(AXE.read_text() + ";axe.run()")
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]


def test_a_job_is_followed_from_queued_to_done_without_a_reload(page: Page, backstage: Backstage) -> None:
    go(page, "?tab=jobs")
    job_id = backstage.submit("a lighthouse nobody painted")
    row = page.locator(f'[data-id="{job_id}"]')
    expect(row).to_contain_text("a lighthouse nobody painted")
    expect(row.get_by_test_id("state")).to_have_text("queued")
    row.get_by_role("button").click()
    detail = page.get_by_test_id("job-detail")
    expect(detail.get_by_test_id("job-request")).to_have_value(re.compile("a lighthouse nobody painted"))
    backstage.run(job_id, "succeeded")
    expect(detail.get_by_test_id("state")).to_have_text("succeeded")
    expect(detail.get_by_test_id("job-request")).to_have_value(re.compile("a lighthouse nobody painted"))
    page.keyboard.press("Escape")
    expect(row.get_by_test_id("state")).to_have_text("succeeded")
    expect(page.get_by_test_id("states")).to_contain_text("succeeded 1")


def test_a_job_is_taken_along_as_json(page: Page, backstage: Backstage) -> None:
    job_id = backstage.submit("a kite")
    backstage.run(job_id, "succeeded")
    go(page, f"?tab=jobs&job={job_id}")
    with page.expect_download() as download:
        page.get_by_test_id("download-job").click()
    told = msgspec.json.decode(Path(download.value.path()).read_bytes())
    assert (told["id"], told["request"]["query"]) == (job_id, {"text": "a kite"})


def test_dead_letters_are_replayed_one_chosen_or_all(page: Page, backstage: Backstage) -> None:
    ids = []
    for text in ("first", "second", "third"):
        ids.append(backstage.submit(text))
        backstage.run(ids[-1], "dead")
    go(page, "?tab=dead")
    expect(page.get_by_test_id("job")).to_have_count(3)
    page.get_by_label("Choose second").check()
    page.get_by_test_id("bulk-replay").click()
    confirm(page, "1 job queued again")
    expect(page.get_by_test_id("job")).to_have_count(2)
    page.get_by_test_id("bulk-replay").click()
    expect(page.get_by_test_id("confirm")).to_contain_text("Run all dead jobs that match again?")
    confirm(page, "2 jobs queued again")
    expect(page.get_by_test_id("no-jobs")).to_contain_text("No job has been given up")
    for verb in ("replay", "purge"):
        expect(page.get_by_test_id(f"bulk-{verb}")).to_be_disabled()
    page.get_by_test_id("tab-trail").click()
    expect(page.get_by_test_id("audit")).to_contain_text("ran again")
    assert page.get_by_test_id("audit").locator("tbody tr").count() == 2


def test_a_question_that_is_not_answered_with_yes_does_nothing(page: Page, backstage: Backstage) -> None:
    backstage.run(backstage.submit("keep me"), "dead")
    go(page, "?tab=dead")
    page.get_by_test_id("bulk-purge").click()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("confirm")).to_have_count(0)
    page.reload()
    expect(page.get_by_test_id("job")).to_have_count(1)


def test_a_queue_is_paused_and_says_so(page: Page) -> None:
    go(page)
    lane = page.locator('[data-testid="queue"][data-name="interactive"]')
    lane.get_by_test_id("pause").click()
    confirm(page, "interactive is paused")
    expect(lane.get_by_test_id("state")).to_have_text("paused")
    expect(page.get_by_test_id("troubles")).to_contain_text("interactive is paused")
    lane.get_by_test_id("pause").click()
    confirm(page, "interactive goes on")
    expect(lane.get_by_test_id("state")).to_have_count(0)


def test_jobs_are_found_by_what_they_are(page: Page, backstage: Backstage) -> None:
    for text, state in (("red cat", "succeeded"), ("blue cat", "failed"), ("red dog", "succeeded")):
        backstage.run(backstage.submit(text), state)  # type: ignore[arg-type]
    go(page, "?tab=jobs")
    page.get_by_test_id("jobs-q").fill("cat")
    expect(page.get_by_test_id("job")).to_have_count(2)
    page.get_by_test_id("jobs-state").select_option("failed")
    expect(page.get_by_test_id("job")).to_have_count(1)
    shared = page.url
    page.get_by_test_id("jobs-q").fill("")
    page.get_by_test_id("jobs-state").select_option("")
    expect(page.get_by_test_id("job")).to_have_count(3)
    page.goto(shared)
    expect(page.get_by_test_id("job")).to_have_count(1)
    expect(page.get_by_test_id("job")).to_contain_text("blue cat")


def test_nothing_is_asked_while_the_page_is_hidden(page: Page) -> None:
    asked: list[str] = []
    go(page)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_test_id("live")).to_have_attribute("data-state", "closed")
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    assert asked == []
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_test_id("live")).to_have_attribute("data-state", "open")
    assert asked != []


@contextmanager
def keyed_page(browser: Browser, settings: Settings, keys: Path, role: tenants.Role) -> Iterator[Page]:
    """A page of somebody with a key of that role."""
    key = tenants.add(keys, tenant="default", role=role)
    changed = msgspec.structs.replace(settings, keys_file=str(keys))
    with serving(changed) as api, new_page(browser, api.url) as page:
        page.goto("/dashboard")
        page.get_by_test_id("key-input").fill(key)
        page.get_by_test_id("key-submit").click()
        yield page


def test_a_viewer_sees_all_and_can_do_nothing(
    browser: Browser, settings: Settings, tmp_path: Path, backstage: Backstage
) -> None:
    backstage.run(backstage.submit("give me up"), "dead")
    with keyed_page(browser, settings, tmp_path / "keys.toml", "viewer") as page:
        expect(page.get_by_test_id("queue")).to_have_count(2)
        expect(page.get_by_test_id("pause")).to_have_count(0)
        expect(page.get_by_test_id("tab-trail")).to_have_count(0)
        page.get_by_test_id("tab-dead").click()
        expect(page.get_by_test_id("job")).to_have_count(1)
        expect(page.get_by_test_id("bulk-replay")).to_have_count(0)
        page.get_by_test_id("job").get_by_role("button").click()
        expect(page.get_by_test_id("timeline")).to_be_visible()
        expect(page.get_by_test_id("retry-job")).to_have_count(0)


def test_jobs_of_every_tenant_are_listed_and_acted_on_together(
    browser: Browser, settings: Settings, tmp_path: Path, backstage: Backstage
) -> None:
    ours, theirs = backstage.submit("our own"), backstage.submit("not for you", tenant="studio")
    with keyed_page(browser, settings, tmp_path / "keys.toml", "operator") as page:
        page.get_by_test_id("tab-jobs").click()
        expect(page.get_by_test_id("job")).to_have_count(1)
        page.get_by_test_id("jobs-tenant").select_option("*")
        row = page.locator(f'[data-id="{theirs}"]')
        expect(row).to_contain_text("studio")
        expect(row).to_contain_text("hidden")
        expect(page.locator(f'[data-id="{ours}"]')).to_contain_text("our own")
        sound(page)
        row.get_by_role("button").click()
        expect(page.get_by_test_id("timeline")).to_be_visible()
        page.reload()
        expect(page.get_by_test_id("job-id")).to_have_text(theirs)
        page.keyboard.press("Escape")
        page.get_by_test_id("choose-page").check()
        page.get_by_test_id("bulk-cancel").click()
        confirm(page, "2 jobs cancelled")
        page.get_by_test_id("jobs-tenant").select_option("studio")
        expect(page.get_by_test_id("job")).to_have_count(1)
        expect(page.get_by_test_id("job").get_by_test_id("state")).to_have_text("cancelled")


def test_the_dashboard_is_not_for_users(browser: Browser, settings: Settings, tmp_path: Path) -> None:
    with keyed_page(browser, settings, tmp_path / "keys.toml", "user") as page:
        expect(page.get_by_test_id("forbidden")).to_be_visible()


def test_a_read_only_dashboard_says_so(browser: Browser, settings: Settings) -> None:
    with (
        serving(msgspec.structs.replace(settings, read_only=True)) as api,
        new_page(browser, api.url) as page,
    ):
        go(page)
        expect(page.get_by_text("read-only")).to_be_visible()
        expect(page.get_by_test_id("pause")).to_have_count(0)


LOOKS: dict[str, dict[str, Any]] = {"light": {}, "dark": {"dark": True}, "phone": {"width": 390}}


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_sound_and_fits(browser: Browser, api: Api, backstage: Backstage, look: str) -> None:
    for text, state in (("red cat", "succeeded"), ("blue cat", "failed"), ("old dog", "dead")):
        backstage.run(backstage.submit(text), state)  # type: ignore[arg-type]
    backstage.beat()
    with new_page(browser, api.url, **LOOKS[look]) as page:
        for tab in TABS:
            go(page, f"?tab={tab}")
            expect(page.get_by_text("Loading…")).to_have_count(0)
            sound(page)
        go(page, "?tab=dead")
        page.get_by_test_id("job").get_by_role("button").click()
        expect(page.get_by_test_id("timeline")).to_be_visible()
        sound(page)
        page.get_by_test_id("retry-job").click()
        expect(page.get_by_test_id("confirm-yes")).to_be_visible()
        sound(page)


def sound(page: Page) -> None:
    assert violations(page) == [], page.url
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, page.url


def test_the_keyboard_alone_opens_and_closes_a_job(page: Page, backstage: Backstage) -> None:
    backstage.submit("by keyboard")
    go(page, "?tab=jobs")
    opener = page.get_by_test_id("job").get_by_role("button")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("timeline")).to_be_visible()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_worker_that_is_drained_ends_and_another_comes(browser: Browser, demo_stack: RunningStack) -> None:
    before = demo_stack.pids["worker"]
    with new_page(browser, demo_stack.url) as page:
        go(page, "?tab=workers")
        expect(page.get_by_test_id("worker")).to_have_count(1)
        page.get_by_test_id("drain").click()
        confirm(page, re.compile("drains"))
        until(lambda: demo_stack.pids.get("worker", before) != before, RESTART_S, demo_stack.output)
        until(lambda: ready(demo_stack.url), RESTART_S, demo_stack.output)
        expect(page.get_by_test_id("worker")).to_have_count(1)
    entries = httpx.get(f"{demo_stack.url}/v1/audit", timeout=60, trust_env=False).json()["entries"]
    assert entries[0]["action"] == "worker.drain"
