"""The phases of the push benchmark, each against a server of its own."""

import argparse
import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from time import monotonic, perf_counter
from typing import Any

import msgspec

from bench.push_stack import Served, Stack
from bench.report import Figures, percentile
from bench.screens import Screen, close_all, open_screens, until
from shared import keys
from shared.collections import Collections, from_spec
from shared.connection import connect
from shared.jobs import CollectionSpec, Query, Search
from shared.queue import Queue
from shared.tenants import DEFAULT_TENANT

WARM = 50
# So many events are on their way at once: a client's outbox has room for them.
WINDOW = 100
FLOOD = 600
RESULT = b'{"op":"result"'
COLLECTION = "bench"
SETTLE_S = 1.0
LOOK_S = 0.05


Happen = Callable[[int], Awaitable[None]]


class _Frame(msgspec.Struct):
    op: str
    session: str | None = None
    result: dict[str, Any] | None = None


async def connected(stack: Stack, chosen: argparse.Namespace) -> Figures:
    return await _idle(stack.server, stack.ws_url, chosen)


async def _idle(server: Served, url: str, chosen: argparse.Namespace) -> Figures:
    close_all(await open_screens(url, WARM))
    await asyncio.sleep(SETTLE_S)
    before_kib = server.rss_kib()
    started = perf_counter()
    screens = await open_screens(url, chosen.connections)
    took_s = perf_counter() - started
    await asyncio.sleep(SETTLE_S)
    grown_kib, cpu_s = server.rss_kib() - before_kib, server.cpu_s()
    await asyncio.sleep(chosen.idle_s)
    idle_s = server.cpu_s() - cpu_s
    alive = sum(not screen.closed for screen in screens)
    close_all(screens)
    return {
        "connections": alive,
        "kib_per_connection": grown_kib / chosen.connections,
        "idle_cpu_share": idle_s / chosen.idle_s,
        "connects_s": chosen.connections / took_s,
    }


async def fanned_out(stack: Stack, chosen: argparse.Namespace) -> Figures:
    """Everybody shows the same session, so each event goes to all; jobs differ, so none may be left out."""
    [first] = await open_screens(stack.ws_url, 1, _count_results)
    screens = await open_screens(f"{stack.ws_url}?session={first.state.session}", chosen.watchers)
    numbers, session = count(), first.state.session
    async with connect(stack.settings) as redis:

        async def happen(events: int) -> None:
            async with redis.pipeline(transaction=False) as pipe:
                for _ in range(events):
                    fields = {
                        "t": DEFAULT_TENANT,
                        "j": f"job-{next(numbers)}",
                        "s": session,
                        "c": "",
                        "st": "running",
                    }
                    pipe.xadd(keys.EVENTS, {**fields, "c": "", "at": 1}, maxlen=20_000)
                await pipe.execute()

        together = await _spread(screens, chosen.events, happen, at_once=WINDOW // 2)
        single = await _spread(screens, max(10, chosen.events // 10), happen, at_once=1)
    close_all([first, *screens])
    return {"fanout_msgs_s": together, "fanout_single_msgs_s": single}


async def _spread(screens: list[Screen], events: int, happen: Happen, *, at_once: int) -> float:
    """Messages a second; the next ones are written when those before the last ones have reached everybody."""
    before = [screen.texts for screen in screens]

    def reached() -> int:
        return min(screen.texts - known for screen, known in zip(screens, before, strict=True))

    started, ahead = perf_counter(), at_once if at_once > 1 else 0
    for sent in range(at_once, events + 1, at_once):
        await happen(at_once)
        await until(partial(_is_least, reached, sent - ahead))
    sent = events // at_once * at_once
    await until(partial(_is_least, reached, sent))
    return sent * len(screens) / (perf_counter() - started)


def _is_least(value: Callable[[], int], least: int) -> bool:
    return value() >= least


class _Seen:
    """What one screen remembers."""

    session = ""
    results = 0


def _count_results(screen: Screen, text: bytes) -> None:
    if screen.state is None:
        screen.state = _Seen()
        screen.state.session = msgspec.json.decode(text, type=_Frame).session
    screen.state.results += text.startswith(RESULT)


class People:
    """Who searches, looks at the answer, thinks, and searches again."""

    def __init__(self, *, think_s: float) -> None:
        self.think_s = think_s
        self.latencies_ms: list[float] = []
        self._draw = random.Random(1)
        self._ends = 0.0

    async def search(self, stack: Stack, people: int, seconds: float) -> None:
        screens = await open_screens(stack.ws_url, people, self._hear)
        self._ends = monotonic() + seconds
        for screen in screens:
            self._later(screen)
        await asyncio.sleep(seconds)
        await asyncio.sleep(SETTLE_S)
        close_all(screens)

    def _later(self, screen: Screen) -> None:
        pause_s = self._draw.expovariate(1 / self.think_s) if self.think_s else 0.0
        asyncio.get_running_loop().call_later(pause_s, self._ask, screen)

    def _ask(self, screen: Screen) -> None:
        if monotonic() < self._ends and not screen.closed:
            screen.say({"op": "search", "id": "c", "search": {"collection": COLLECTION, "query": {"text": "a cat"}}})

    def _hear(self, screen: Screen, text: bytes) -> None:
        heard = monotonic()
        if text.startswith(RESULT):
            frame = msgspec.json.decode(text, type=_Frame)
            self.latencies_ms.append((heard - (frame.result or {})["ready"]) * 1000)
            self._later(screen)


async def busy(stack: Stack, chosen: argparse.Namespace) -> Figures:
    await _collection(stack)
    alone, many = People(think_s=0.02), People(think_s=chosen.think_s)
    await alone.search(stack, 1, chosen.seconds / 3)
    alone.latencies_ms.clear()
    await alone.search(stack, 1, chosen.seconds / 3)
    await many.search(stack, chosen.people, chosen.seconds)
    return {
        "idle_p50_ms": percentile(alone.latencies_ms, 0.50),
        "idle_p99_ms": percentile(alone.latencies_ms, 0.99),
        "push_p50_ms": percentile(many.latencies_ms, 0.50),
        "push_p99_ms": percentile(many.latencies_ms, 0.99),
        "busy_searches_s": len(many.latencies_ms) / chosen.seconds,
    }


async def stalled(stack: Stack, chosen: argparse.Namespace) -> Figures:
    """Results for a session whose screens have stopped to read, until each is closed as slow."""
    await _collection(stack)
    async with connect(stack.settings) as redis:
        queue = Queue(redis, stack.settings)
        # Twice: the first time the process grows by what it needs for any load.
        await _flooded_kib(stack, queue, screens=chosen.stalled, reading=True)
        reading_kib = await _flooded_kib(stack, queue, screens=chosen.stalled, reading=True)
        stalled_kib = await _flooded_kib(stack, queue, screens=chosen.stalled, reading=False)
    return {"stalled_mib": max(0.0, stalled_kib - reading_kib) / 1024 / chosen.stalled}


async def _flooded_kib(stack: Stack, queue: Queue, *, screens: int, reading: bool) -> float:
    """The highest memory of the process while one session gets many large results on several screens."""
    [first] = await open_screens(stack.ws_url, 1, _count_results)
    others = await open_screens(f"{stack.ws_url}?session={first.state.session}", screens)
    if not reading:
        for screen in others:
            screen.transport.pause_reading()
    search = Search(collection=COLLECTION, query=Query(text="a cat"), limit=100, session=first.state.session)
    peak = asyncio.create_task(_peak_kib(stack.server))
    for number in range(FLOOD):
        await queue.submit(search, tenant=DEFAULT_TENANT)
        await until(partial(_is_least, lambda: first.state.results, number - WINDOW))
    await until(partial(_is_least, lambda: first.state.results, FLOOD))
    close_all([first, *others])
    peak.cancel()
    return await peak


async def _peak_kib(server: Served) -> float:
    highest = 0.0
    try:
        while True:
            highest = max(highest, server.rss_kib())
            await asyncio.sleep(LOOK_S)
    except asyncio.CancelledError:
        return highest


async def _collection(stack: Stack) -> None:
    async with connect(stack.settings) as redis:
        await Collections(redis).put(DEFAULT_TENANT, from_spec(COLLECTION, CollectionSpec()))


async def floor(server: Served, chosen: argparse.Namespace) -> Figures:
    figures = await _idle(server, server.url, chosen)
    screens = await open_screens(server.url, chosen.watchers)
    text = "x" * 200  # as long as an event

    async def happen(events: int) -> None:
        screens[0].say({"times": events, "text": text})

    together = await _spread(screens, chosen.events, happen, at_once=WINDOW // 2)
    single = await _spread(screens, max(10, chosen.events // 10), happen, at_once=1)
    close_all(screens)
    return {**figures, "fanout_msgs_s": together, "fanout_single_msgs_s": single}
