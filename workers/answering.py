"""Brings what the device's thread found to the event loops that wait for it."""

import asyncio
import logging

from workers.encoding import Outcomes

logger = logging.getLogger(__name__)


def hand_back(outcomes: Outcomes) -> None:
    """Wake each event loop once for the whole batch."""
    by_loop: dict[asyncio.AbstractEventLoop, Outcomes] = {}
    for entry, outcome in outcomes:
        by_loop.setdefault(entry.loop, []).append((entry, outcome))
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, mine)
        except RuntimeError:
            logger.debug("nobody is left to take %d vectors: their event loop has closed", len(mine))


def _settle(outcomes: Outcomes) -> None:
    for entry, outcome in outcomes:
        if entry.future.done():
            continue
        if isinstance(outcome, Exception):
            entry.future.set_exception(outcome)
        else:
            entry.future.set_result(outcome)
