"""The embedded stack as a user starts it, with the sample collection, albums and a page; a stack that is observed."""

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import chromium, new_page
from tests.e2e.observed import Observed, observing
from tests.e2e.running import RunningStack, until, up

__all__ = ["RunningStack"]

ALBUMS = 4
PER_ALBUM = 8
INDEXED_S = 120.0


@pytest.fixture(scope="session")
def demo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Shared: tests leave `pictograms` as it is and use collections of their own for the rest."""
    with up(tmp_path_factory.mktemp("stack") / "data", "--demo") as running:
        yield running


@pytest.fixture
def stack(demo_stack: RunningStack) -> RunningStack:
    return demo_stack


@pytest.fixture(scope="session")
def albums(demo_stack: RunningStack) -> str:
    """A collection whose pictures stand in groups, in order."""
    pictures = sorted((demo_stack.data / "demo" / "pictograms").glob("*.png"))[: ALBUMS * PER_ALBUM]
    payloads = [{"album": f"album-{n % ALBUMS}", "position": n // ALBUMS} for n in range(len(pictures))]
    with httpx.Client(base_url=demo_stack.url, trust_env=False, timeout=60) as client:
        client.put(
            "/v1/collections/albums",
            json={"group_field": "album", "payload": {"album": "keyword", "position": "integer"}},
        ).raise_for_status()
        files = [("files", (picture.name, picture.read_bytes(), "image/png")) for picture in pictures]
        client.post(
            "/v1/collections/albums/items", files=files, data={"payload": json.dumps(payloads)}
        ).raise_for_status()
        until(lambda: client.get("/v1/collections/albums").json()["count"] == len(pictures), INDEXED_S)
    return "albums"


@pytest.fixture(scope="session")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """An API and a worker, with their metrics and traces."""
    with observing(tmp_path_factory.mktemp("observed")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def site(demo_stack: RunningStack) -> str:
    """Where the pages are; a module whose pages come from elsewhere has its own."""
    return demo_stack.url


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with new_page(browser, site) as one:
        yield one
