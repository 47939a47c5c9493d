"""The embedded stack as a user starts it, with the sample collection, and a page of it; a stack that is observed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import chromium, new_page
from tests.e2e.observed import Observed, observing
from tests.e2e.running import RunningStack, up

__all__ = ["RunningStack"]


@pytest.fixture(scope="session")
def demo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Shared: tests leave `pictograms` as it is and use collections of their own for the rest."""
    with up(tmp_path_factory.mktemp("stack") / "data", "--demo") as running:
        yield running


@pytest.fixture
def stack(demo_stack: RunningStack) -> RunningStack:
    return demo_stack


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
