"""A device that lacks memory gets smaller batches; one that breaks takes its worker out of service, not the queue."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from shared.connection import connect
from shared.errors import EncoderAway
from shared.fleet import Fleet
from shared.jobs import CollectionSpec, CollectionTask, Query, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.starved import (
    Device,
    Hanging,
    cpu_runs_out,
    cublas_breaks,
    cuda_breaks,
    cuda_runs_out,
    holds,
    numpy_runs_out,
    old_cuda_runs_out,
)
from tests.workers.tasks.stack import settings_for
from workers.__main__ import serve
from workers.batcher import Batcher
from workers.batches import GROWS_AFTER, Budget, MemoryLimit
from workers.device_trouble import DeviceFailed, trouble
from workers.device_watch import DeviceWatch
from workers.encoders.protocol import Encoder
from workers.encoding import SUSPICIOUS

pytestmark = pytest.mark.anyio
WITHIN_S = 60.0
NO_MEMORY = [cpu_runs_out, cuda_runs_out, old_cuda_runs_out, numpy_runs_out]
BROKEN = [cuda_breaks, cublas_breaks]


def batcher_of(device: Device) -> Batcher:
    return Batcher(device, budget=Budget(texts=8, images=8, tokens=1_000), max_queued=100)


def raised_by(call: Callable[[], None]) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is what the test asks
        call()
    return raised.value


@pytest.mark.parametrize("run_out", NO_MEMORY)
def test_lack_of_memory_is_told_from_other_errors(run_out: Callable[[], None]) -> None:
    assert trouble(raised_by(run_out)) == "memory"


@pytest.mark.parametrize("breaks", BROKEN)
def test_a_broken_device_is_told_from_other_errors(breaks: Callable[[], None]) -> None:
    assert trouble(raised_by(breaks)) == "device"


@pytest.mark.parametrize(
    "error", [ArithmeticError("not finite"), RuntimeError("shape mismatch"), ValueError("CUDA error")]
)
def test_the_fault_of_a_request_is_no_trouble_of_the_device(error: Exception) -> None:
    assert trouble(error) is None


@pytest.mark.parametrize("run_out", NO_MEMORY)
async def test_a_batch_that_does_not_fit_is_halved_and_the_size_remembered(
    tiny_encoder: Encoder, run_out: Callable[[], None]
) -> None:
    device = Device(tiny_encoder, holds(3, run_out))
    batcher = batcher_of(device)
    try:
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*(batcher.text(f"text {number}") for number in range(40)))
            # What follows fits at once.
            before = len(device.sizes)
            found = await asyncio.gather(*(batcher.text(f"more {number}") for number in range(24)))
        assert max(device.sizes) > 3
        assert max(device.sizes[before:]) <= 3
        assert 1 <= batcher.stats().halved <= 2
        assert batcher.stats().failed == 0
        expected = tiny_encoder.encode_texts([tiny_encoder.tokenize(f"more {number}")[0] for number in range(24)])
        np.testing.assert_allclose([one.vector for one in found], expected, atol=1e-5)
    finally:
        await asyncio.to_thread(batcher.close)


async def test_a_device_without_room_for_one_item_is_out_of_service(tiny_encoder: Encoder) -> None:
    batcher = batcher_of(Device(tiny_encoder, holds(0, cpu_runs_out)))
    try:
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(EncoderAway):
                await batcher.text("a cat")
            await asyncio.gather(*(batcher.text(f"t{n}") for n in range(SUSPICIOUS)), return_exceptions=True)
            with pytest.raises(DeviceFailed):
                await batcher.text("a dog")
    finally:
        await asyncio.to_thread(batcher.close)


def test_a_limit_of_memory_is_tried_again_slowly() -> None:
    limit = MemoryLimit()
    limit.exceeded("text", 64)
    assert (limit.items("text", 64), limit.items("image", 64)) == (32, 64)
    for _ in range(GROWS_AFTER):
        limit.fitted("text", 5)  # says nothing of larger ones
    assert limit.items("text", 64) == 32
    for _ in range(GROWS_AFTER):
        limit.fitted("text", 32)
    assert limit.items("text", 64) == 36
    limit.exceeded("text", 36)
    assert limit.items("text", 64) == 18


async def test_what_waits_for_a_broken_device_is_told_apart_from_what_it_broke_on(tiny_encoder: Encoder) -> None:
    batcher = batcher_of(Device(tiny_encoder, holds(0, cuda_breaks)))
    told: list[str] = []
    batcher.when_failed(lambda: told.append("failed"))
    try:
        async with asyncio.timeout(WITHIN_S):
            answers = await asyncio.gather(
                *(batcher.text(f"text {number}") for number in range(30)), return_exceptions=True
            )
        assert all(isinstance(one, DeviceFailed) for one in answers)
        on_device = sum(isinstance(one, DeviceFailed) and one.on_device for one in answers)
        assert 1 <= on_device <= 8
        assert told == ["failed"]
        batcher.when_failed(lambda: told.append("late"))
        assert told == ["failed", "late"]
        with pytest.raises(DeviceFailed):
            await batcher.on_device(lambda encoder: encoder.info)
    finally:
        await asyncio.to_thread(batcher.close)


async def test_a_device_that_hangs_is_out_of_service_for_all_who_wait(tiny_encoder: Encoder) -> None:
    device = Hanging(tiny_encoder)
    batcher = batcher_of(device)
    watch = asyncio.create_task(DeviceWatch([batcher], most_s=0.05, every_s=0.01).run())
    try:
        async with asyncio.timeout(WITHIN_S):
            await batcher.text("while it works")
            device.works.clear()
            answers = await asyncio.gather(*(batcher.text(f"t{n}") for n in range(20)), return_exceptions=True)
            assert all(isinstance(one, DeviceFailed) for one in answers)
            assert 1 <= sum(isinstance(one, DeviceFailed) and one.on_device for one in answers) <= 8
            with pytest.raises(DeviceFailed):
                await batcher.text("later")
    finally:
        watch.cancel()
        await asyncio.to_thread(batcher.close)
        device.works.set()


async def test_a_device_that_is_slow_but_goes_on_stays_in_service(tiny_encoder: Encoder) -> None:
    class Slow(Device):
        def _pass(self, items: int) -> None:
            asyncio.run_coroutine_threadsafe(looks(2), loop).result()

    async def looks(count: int) -> None:
        for _ in range(count):
            watch._look(0, batcher)

    loop = asyncio.get_running_loop()
    batcher = batcher_of(Slow(tiny_encoder, holds(8, cuda_breaks)))
    watch = DeviceWatch([batcher], most_s=3, every_s=1)
    try:
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*(batcher.text(f"t{n}") for n in range(40)))
    finally:
        await asyncio.to_thread(batcher.close)


@pytest.fixture
def own(redis_server: RedisServer, tiny_model: Path, tmp_path: Path) -> Settings:
    redis_server.flush()
    return settings_for(redis_server.url, tiny_model, tmp_path, max_batch=2)


async def test_a_worker_whose_device_breaks_hands_back_what_it_holds_and_ends(
    own: Settings, tiny_encoder: Encoder
) -> None:
    broken = False

    def check(_: int) -> None:
        if broken:
            cuda_breaks()

    async with connect(own) as redis, asyncio.timeout(WITHIN_S):
        queue = Queue(redis, own)
        worker = asyncio.create_task(serve(own, stop=asyncio.Event(), load=lambda _: Device(tiny_encoder, check)))
        await eventually(Fleet(redis).live, within_s=WITHIN_S)
        made = await queue.submit(CollectionTask(op="create", collection="c", spec=CollectionSpec()), tenant="t")
        assert (await queue.wait("t", made.id, timeout_s=WITHIN_S)).state == "succeeded"
        broken = True
        searches = [Search(collection="c", query=Query(text=f"text {number}")) for number in range(12)]
        sent = [await queue.submit(search, tenant="t") for search in searches]
        with pytest.raises(DeviceFailed):
            await worker
        assert [(await queue.result("t", one.id)).state for one in sent] == ["queued"] * len(sent)

        stop = asyncio.Event()
        successor = asyncio.create_task(serve(own, stop=stop, load=lambda _: tiny_encoder))
        views = [await queue.wait("t", one.id, timeout_s=WITHIN_S) for one in sent]
        stop.set()
        await successor
    assert {view.state for view in views} == {"succeeded"}
    # Only those that the device had when it broke, two at most, have tried before.
    attempts = sorted(view.attempts for view in views)
    assert attempts[:-2] == [1] * (len(sent) - 2)
    assert attempts[-1] <= 2


@pytest.mark.parametrize(
    ("most", "fails"), [(0, cpu_runs_out), (0, cuda_breaks), (1, cuda_breaks)], ids=["no room", "broken", "with two"]
)
async def test_a_worker_whose_device_does_not_do_never_gets_ready(
    own: Settings, tiny_encoder: Encoder, most: int, fails: Callable[[], None]
) -> None:
    measured = msgspec.structs.replace(own, max_batch=0)
    async with connect(own) as redis, asyncio.timeout(WITHIN_S):
        with pytest.raises(DeviceFailed, match="default: "):
            await serve(measured, stop=asyncio.Event(), load=lambda _: Device(tiny_encoder, holds(most, fails)))
        assert await Fleet(redis).live() == []


@pytest.mark.parametrize("fails", [cuda_runs_out, cuda_breaks])
async def test_a_model_that_the_device_does_not_take_is_the_device_s_failure(
    own: Settings, fails: Callable[[], None]
) -> None:
    def load(_: Settings) -> Encoder:
        fails()
        raise AssertionError

    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(DeviceFailed, match="default: CUDA"):
            await serve(own, stop=asyncio.Event(), load=load)


async def test_a_worker_whose_device_hangs_ends(own: Settings, tiny_encoder: Encoder) -> None:
    device, settings = Hanging(tiny_encoder), msgspec.structs.replace(own, search_timeout_s=0.5, hang_s=0.5)
    async with connect(settings) as redis, asyncio.timeout(WITHIN_S):
        queue = Queue(redis, settings)
        worker = asyncio.create_task(serve(settings, stop=asyncio.Event(), load=lambda _: device))
        await eventually(Fleet(redis).live, within_s=WITHIN_S)
        made = await queue.submit(CollectionTask(op="create", collection="c", spec=CollectionSpec()), tenant="t")
        assert (await queue.wait("t", made.id, timeout_s=WITHIN_S)).state == "succeeded"
        device.works.clear()
        await queue.submit(Search(collection="c", query=Query(text="cat")), tenant="t")
        try:
            with pytest.raises(DeviceFailed):
                await worker
        finally:
            device.works.set()
        assert await Fleet(redis).live() == []


async def test_the_second_model_s_device_failing_ends_the_worker_too(
    own: Settings, tiny_encoder: Encoder, tiny_model: Path
) -> None:
    settings = msgspec.structs.replace(own, models=f"other=local-dir:{tiny_model}/", pretrained="first")
    broken = False

    def check(_: int) -> None:
        if broken:
            cuda_breaks()

    def load(asked: Settings) -> Encoder:
        return tiny_encoder if asked.pretrained == "first" else Device(tiny_encoder, check)

    async with connect(settings) as redis, asyncio.timeout(WITHIN_S):
        queue = Queue(redis, settings)
        worker = asyncio.create_task(serve(settings, stop=asyncio.Event(), load=load))
        await eventually(Fleet(redis).live, within_s=WITHIN_S)
        made = CollectionTask(op="create", collection="c", spec=CollectionSpec())
        sent = await queue.submit(made, tenant="t", model_name="other")
        assert (await queue.wait("t", sent.id, timeout_s=WITHIN_S)).state == "succeeded"
        broken = True
        lost = await queue.submit(Search(collection="c", query=Query(text="cat")), tenant="t", model_name="other")
        with pytest.raises(DeviceFailed):
            await worker
        assert (await queue.result("t", lost.id)).state == "queued"
