"""The thread that gives JPEGs to a GPU, over a codec that runs on the CPU; see `test_gpu.py` for a real one."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
import torch

from tests.workers.ingest.jpegs import CpuCodec, jpeg
from workers.encoders.preprocess import Preprocess
from workers.ingest import gpu_jpegs
from workers.ingest.device_pictures import DevicePictures
from workers.ingest.gpu_jpegs import GIVES_UP, MOST, MOST_WAITING, GpuJpegs
from workers.ingest.whole_jpegs import Jpeg, whole_jpeg

pytestmark = pytest.mark.anyio
INPUT = Preprocess(size=(32, 32), mean=(0.5,) * 3, std=(0.5,) * 3)
SIDE = 64
WITHIN_S = 60.0
BAD = 7


def whole(number: int, side: int = SIDE) -> Jpeg:
    found = whole_jpeg(jpeg(side, side + number % 5, comment=bytes([number])))
    assert found is not None
    return found


def number_of(file: torch.Tensor) -> int:
    data = file.numpy().tobytes()
    return data[data.index(b"\xff\xfe\0\x03") + 4]


def fails_with_bad(files: Sequence[torch.Tensor]) -> None:
    if any(number_of(file) == BAD for file in files):
        raise RuntimeError("nvJPEG does not like one of them")


@asynccontextmanager
async def running(codec: CpuCodec, *, most_pixels: int = 10**6) -> AsyncIterator[GpuJpegs]:
    jpegs = GpuJpegs(DevicePictures(INPUT, codec), most_pixels=most_pixels)
    try:
        async with asyncio.timeout(WITHIN_S):
            yield jpegs
    finally:
        await asyncio.to_thread(jpegs.close)


class Gate:
    """Holds the thread at its first batch until all others wait."""

    def __init__(self, then: Callable[[Sequence[torch.Tensor]], object] = len) -> None:
        self.reached, self.opened, self._then = threading.Event(), threading.Event(), then

    def __call__(self, files: Sequence[torch.Tensor]) -> None:
        self.reached.set()
        assert self.opened.wait(WITHIN_S)
        self._then(files)


async def held(jpegs: GpuJpegs, gate: Gate) -> "asyncio.Task[object]":
    first = asyncio.create_task(jpegs.make(whole(0)))
    assert await asyncio.to_thread(gate.reached.wait, WITHIN_S)
    return first


async def test_what_waits_goes_together_and_comes_to_whom_it_belongs() -> None:
    gate = Gate()
    codec = CpuCodec(gate)
    async with running(codec) as jpegs:
        first = await held(jpegs, gate)
        many = [asyncio.create_task(jpegs.make(whole(number))) for number in range(MOST + 3)]
        await asyncio.sleep(0)
        gate.opened.set()
        for number, made in enumerate(await asyncio.gather(*many)):
            assert made is not None
            [alone] = DevicePictures(INPUT, CpuCodec()).make([whole(number)])
            assert made.width == alone.width
            np.testing.assert_array_equal(made.pixels, alone.pixels)
        assert await first is not None
    assert codec.batches == [1, MOST, 3]


async def test_a_batch_holds_no_more_pixels_than_may_be() -> None:
    gate = Gate()
    codec = CpuCodec(gate)
    async with running(codec, most_pixels=3 * SIDE * (SIDE + 4)) as jpegs:
        first = await held(jpegs, gate)
        many = [asyncio.create_task(jpegs.make(whole(4))) for _ in range(7)]
        await asyncio.sleep(0)
        gate.opened.set()
        assert None not in await asyncio.gather(first, *many)
        assert await jpegs.make(whole(0, side=300)) is None
    assert codec.batches == [1, 3, 3, 1]


async def test_a_bad_picture_goes_the_cpus_way_and_its_companions_do_not() -> None:
    gate = Gate(fails_with_bad)
    codec = CpuCodec(gate)
    async with running(codec) as jpegs:
        first = await held(jpegs, gate)
        many = [asyncio.create_task(jpegs.make(whole(number))) for number in range(1, 17)]
        await asyncio.sleep(0)
        gate.opened.set()
        made = await asyncio.gather(*many)
        assert await first is not None
    assert [number for number, one in enumerate(made, 1) if one is None] == [BAD]
    assert codec.recovered == 5  # of 16, 8, 4, 2 and 1


async def test_pictures_that_do_not_fit_into_memory_are_halved_and_later_batches_are_smaller() -> None:
    def too_many(files: Sequence[torch.Tensor]) -> None:
        if len(files) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")

    gate = Gate(too_many)
    codec = CpuCodec(gate)
    async with running(codec) as jpegs:
        first = await held(jpegs, gate)
        for _ in range(2):
            many = [asyncio.create_task(jpegs.make(whole(0))) for _ in range(16)]
            await asyncio.sleep(0)
            gate.opened.set()
            assert None not in await asyncio.gather(*many)
        assert await first is not None
    assert codec.batches[:8] == [1, 16, 8, 4, 4, 8, 4, 4]
    assert set(codec.batches[8:]) <= {1, 2, 3, 4}


async def test_a_device_that_always_fails_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fails(files: Sequence[torch.Tensor]) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore of it")

    codec = CpuCodec(fails)
    async with running(codec) as jpegs:
        for number in range(GIVES_UP + 10):
            assert await jpegs.make(whole(number)) is None
    assert len(codec.batches) == GIVES_UP
    [told] = [record.getMessage() for record in caplog.records if record.name == gpu_jpegs.__name__]
    assert told.endswith("the GPU fails with them: CUDA error: an illegal memory access was encountered")


async def test_failures_between_successes_are_the_pictures_own() -> None:
    codec = CpuCodec(fails_with_bad)
    async with running(codec) as jpegs:
        for _ in range(GIVES_UP + 1):
            assert await jpegs.make(whole(BAD)) is None
            assert await jpegs.make(whole(1)) is not None


async def test_more_than_may_wait_goes_the_cpus_way() -> None:
    gate = Gate()
    async with running(CpuCodec(gate)) as jpegs:
        first = await held(jpegs, gate)
        one = whole(0)
        many = [asyncio.create_task(jpegs.make(one)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        assert await jpegs.make(one) is None
        gate.opened.set()
        assert None not in await asyncio.gather(first, *many)


async def test_what_nobody_waits_for_any_more_is_left_out() -> None:
    gate = Gate()
    codec = CpuCodec(gate)
    async with running(codec) as jpegs:
        first = await held(jpegs, gate)
        many = [asyncio.create_task(jpegs.make(whole(number))) for number in range(6)]
        await asyncio.sleep(0)
        for task in many[1:]:
            task.cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        assert await many[0] is not None
        assert await first is not None
    assert codec.batches == [1, 1]


async def test_closing_finishes_the_batch_and_answers_what_waits() -> None:
    gate = Gate()
    async with running(CpuCodec(gate)) as jpegs:
        first = await held(jpegs, gate)
        many = [asyncio.create_task(jpegs.make(whole(number))) for number in range(3)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(jpegs.close))
        assert await asyncio.gather(*many) == [None, None, None]
        gate.opened.set()
        await closing
        assert await first is not None
        assert await jpegs.make(whole(0)) is None


async def test_halved_colours_that_are_hardly_reduced_go_the_cpus_way() -> None:
    async with running(CpuCodec()) as jpegs:
        assert await jpegs.make(whole(0, side=40)) is None
