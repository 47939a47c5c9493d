"""Several models at one device: never two at once, interactive work first, bulk work not for ever last."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from shared.jobs import Lane
from tests.workers.fleet import eventually
from tests.workers.wrapped import Wrapped
from workers.batch_queue import BULK_SHARE
from workers.batcher import Batcher
from workers.batches import Budget
from workers.device_turns import DeviceTurns
from workers.encoders.protocol import Encoder, Matrix, Pixels, Tokens

pytestmark = pytest.mark.anyio

WITHIN_S = 30.0


class Device:
    """What one device sees of all models; `gate` lets its work go on, `lined_up` holds it until all stand in line."""

    def __init__(self, lined_up: Callable[[str], bool]) -> None:
        self._lined_up = lined_up
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.served: list[str] = []
        self._now = 0

    def work(self, name: str, then: Callable[[], Matrix]) -> Matrix:
        self._now += 1
        assert self._now == 1, "two models at once"
        self.served.append(name)
        self.entered.release()
        assert self.gate.wait(WITHIN_S)
        found = then()
        # A thread that is slow to ask again would miss turns that are its own.
        ends = time.monotonic() + WITHIN_S
        while not self._lined_up(name) and time.monotonic() < ends:
            time.sleep(0.001)
        self._now -= 1
        return found


class On(Wrapped):
    """A real encoder whose work the device sees."""

    def __init__(self, name: str, encoder: Encoder, device: Device) -> None:
        super().__init__(encoder)
        self._name, self._device = name, device

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        return self._device.work(self._name, lambda: self._encoder.encode_texts(tokens))

    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        return self._device.work(self._name, lambda: self._encoder.encode_images(images))


class Shared:
    """Models on one device, which somebody holds until `go`."""

    def __init__(self, encoder: Encoder, *names: str) -> None:
        self.device, self.turns = Device(self._lined_up), DeviceTurns()
        one = Budget(texts=1, images=1, tokens=100)
        self.batchers = {
            name: Batcher(On(name, encoder, self.device), budget=one, max_queued=100, turns=self.turns)
            for name in names
        }
        self._asked: list[asyncio.Task[Any]] = []

    def _lined_up(self, served: str) -> bool:
        """Whether every other model that has work waits for its turn."""
        have_work = sum(batcher.stats().queued > 0 for name, batcher in self.batchers.items() if name != served)
        return len(self.turns._waiting) >= have_work

    async def ask(self, name: str, *, lane: Lane = "interactive") -> None:
        before = self.batchers[name].stats().queued
        text = f"{name} {len(self._asked)}"
        self._asked.append(asyncio.create_task(self.batchers[name].text(text, lane=lane)))
        if len(self._asked) > 1:
            await eventually(lambda: self.batchers[name].stats().queued > before)
        else:
            assert await asyncio.to_thread(self.device.entered.acquire, True, WITHIN_S)

    async def go(self) -> list[str]:
        """In which order the models were served, once all are."""
        self.device.gate.set()
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*self._asked)
        return self.device.served

    def close(self) -> None:
        self.device.gate.set()
        for batcher in self.batchers.values():
            batcher.close()


async def test_interactive_work_of_any_model_comes_before_bulk_work_of_another(tiny_encoder: Encoder) -> None:
    shared = Shared(tiny_encoder, "a", "b", "c")
    try:
        await shared.ask("a")
        await shared.ask("b", lane="bulk")
        await shared.ask("c")
        assert await shared.go() == ["a", "c", "b"]
    finally:
        await asyncio.to_thread(shared.close)


async def test_models_take_turns_and_bulk_work_gets_its_share(tiny_encoder: Encoder) -> None:
    shared = Shared(tiny_encoder, "a", "b", "c")
    try:
        await shared.ask("a")
        await shared.ask("c", lane="bulk")
        for _ in range(2 * BULK_SHARE):
            await shared.ask("a")
            await shared.ask("b")
        served = await shared.go()
    finally:
        await asyncio.to_thread(shared.close)
    assert served.index("c") <= BULK_SHARE + 2
    interactive = [name for name in served[1:] if name != "c"]
    # Whoever just had the device asks again behind the other.
    assert all(abs(interactive[:n].count("a") - interactive[:n].count("b")) <= 2 for n in range(len(interactive)))


async def test_what_became_interactive_while_it_waited_counts_as_that(tiny_encoder: Encoder) -> None:
    shared = Shared(tiny_encoder, "a", "b", "c")
    try:
        await shared.ask("a")
        await shared.ask("b", lane="bulk")
        await shared.ask("c", lane="bulk")
        await shared.ask("c")
        assert (await shared.go())[:2] == ["a", "c"]
    finally:
        await asyncio.to_thread(shared.close)


async def test_a_model_whose_callers_gave_up_holds_nobody_up(tiny_encoder: Encoder) -> None:
    shared = Shared(tiny_encoder, "a", "b")
    try:
        await shared.ask("a")
        await shared.ask("b")
        shared._asked.pop().cancel()
        await shared.ask("a")
        assert await shared.go() == ["a", "a"]
    finally:
        await asyncio.to_thread(shared.close)
