"""Brings what the device's thread found to the event loops that wait for it."""

import asyncio
import logging

from workers.encoding import Outcomes
from workers.stores.searches import QUERIES_AT_MOST

logger = logging.getLogger(__name__)


def hand_back(outcomes: Outcomes) -> None:
    """Wake each event loop once for the whole batch, of which a turn continues as many as a store's call takes."""
    by_loop: dict[asyncio.AbstractEventLoop, Outcomes] = {}
    for entry, outcome in outcomes:
        by_loop.setdefault(entry.loop, []).append((entry, outcome))
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, loop, mine)
        except RuntimeError:
            logger.debug("nobody is left to take %d vectors: their event loop has closed", len(mine))


def _settle(loop: asyncio.AbstractEventLoop, outcomes: Outcomes) -> None:
    now, later = outcomes[:QUERIES_AT_MOST], outcomes[QUERIES_AT_MOST:]
    if later:
        loop.call_soon(_settle, loop, later)
    for entry, outcome in now:
        if entry.future.done():
            continue
        if isinstance(outcome, Exception):
            entry.future.set_exception(outcome)
        else:
            entry.future.set_result(outcome)
