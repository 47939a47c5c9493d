"""Parts of a device take batches of their own: none waits for another, but for work with the device as a whole."""

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import EncoderAway
from tests.workers.device_parts import in_parts
from tests.workers.fleet import eventually
from tests.workers.test_batcher import expected, picture
from workers.batcher import Batcher
from workers.device_trouble import DeviceFailed
from workers.device_turns import DeviceTurns
from workers.device_watch import DeviceWatch
from workers.encoders.protocol import Encoder
from workers.encoding import Embedded

pytestmark = pytest.mark.anyio


def ask(batcher: Batcher, *texts: str, **given: Any) -> "list[asyncio.Task[Embedded]]":
    return [asyncio.create_task(batcher.text(text, **given)) for text in texts]


async def test_a_text_that_comes_while_one_part_works_goes_to_another(tiny_encoder: Encoder) -> None:
    async with in_parts(tiny_encoder, 2) as (batcher, device):
        [first] = ask(batcher, "first")
        [busy] = await device.occupied(1)
        [second] = ask(batcher, "second")
        [free] = [part for part in await device.occupied(2) if part is not busy]
        free.gate.set()
        assert (await second).batch == 1
        assert not first.done()
        busy.gate.set()
        await first


async def test_what_waits_leaves_in_shares_and_nothing_while_all_work(tiny_encoder: Encoder) -> None:
    async with in_parts(tiny_encoder, 2) as (batcher, device):
        held = ask(batcher, "first", "second")
        one, other = await device.occupied(2)
        waiting = ask(batcher, *(f"text {number}" for number in range(9)))
        await eventually(lambda: batcher.stats().queued == 9)
        one.gate.set()
        await eventually(lambda: batcher.stats().queued == 0)
        # Of 9 and the one that the other part has, a half; then, as that part is not done, a half of what is left.
        assert [count for _, count, _ in one.batches][:3] == [1, 5, 3]
        assert [count for _, count, _ in other.batches] == [1]
        other.gate.set()
        await asyncio.gather(*held, *waiting)


async def test_work_with_the_whole_device_waits_for_all_parts_and_keeps_them_waiting(tiny_encoder: Encoder) -> None:
    def whole(encoder: Encoder) -> int:
        assert device.working() == []
        asyncio.run_coroutine_threadsafe(comes(), loop).result()
        assert device.working() == []
        return encoder.info.dim

    async def comes() -> None:
        later.extend(ask(batcher, "c"))
        await eventually(lambda: batcher.stats().queued == 2)
        busy.gate.clear()

    later: list[asyncio.Task[Embedded]] = []
    loop = asyncio.get_running_loop()
    async with in_parts(tiny_encoder, 2) as (batcher, device):
        held = ask(batcher, "a")
        [busy] = await device.occupied(1)
        errand = asyncio.create_task(batcher.on_device(whole))
        await asyncio.sleep(0)
        later.extend(ask(batcher, "b"))
        await eventually(lambda: batcher.stats().queued == 1)
        assert device.working() == [busy], "nothing passes the errand by"
        busy.gate.set()
        assert await errand == tiny_encoder.info.dim
        await device.occupied(2)
        device.open()
        await asyncio.gather(*held, *later)


async def test_what_is_alone_gets_the_threads_of_parts_that_have_nothing_to_do(tiny_encoder: Encoder) -> None:
    async with in_parts(tiny_encoder, 3) as (batcher, device):
        held = ask(batcher, "alone")
        [busy] = await device.occupied(1)
        assert busy.batches == [("text", 1, 3)]
        held += ask(batcher, "a", "b", "c")
        await eventually(lambda: batcher.stats().queued == 3)
        assert device.working() == [busy], "its threads have all CPUs"
        device.open()
        await asyncio.gather(*held)
        rest = sorted(batch for part in device.replicas for batch in part.batches)
        assert rest[-1] == ("text", 1, 3)
        assert sum(count for _, count, _ in rest) == 4
        for part in device.replicas:
            part.batches.clear()
        await batcher.text("again")
        assert [batch for part in device.replicas for batch in part.batches] == [("text", 1, 3)]
        assert batcher.stats().busy_s > 0


@pytest.mark.parametrize("lane", ["interactive", "bulk"])
async def test_on_two_cpus_only_a_picture_that_somebody_waits_for_gets_both(tiny_encoder: Encoder, lane: Any) -> None:
    async with in_parts(tiny_encoder, 2) as (batcher, device):
        device.open()
        await batcher.text("a cat", lane=lane)
        await batcher.image(picture(tiny_encoder, 9), lane=lane)
        found = sorted(batch for part in device.replicas for batch in part.batches)
        assert found == [("image", 1, 2 if lane == "interactive" else 1), ("text", 1, 1)]


async def test_a_part_that_fails_takes_all_out_of_service_and_costs_the_others_nothing(tiny_encoder: Encoder) -> None:
    failed: list[str] = []
    async with in_parts(tiny_encoder, 2) as (batcher, device):
        batcher.when_failed(lambda: failed.append("failed"))
        held = ask(batcher, "first", "second")
        broken, sound = await device.occupied(2)
        waits = ask(batcher, "third")
        await eventually(lambda: batcher.stats().queued == 1)
        broken.breaks = RuntimeError("CUDA error: device-side assert triggered")
        broken.gate.set()
        with pytest.raises(DeviceFailed):
            await waits[0]
        assert failed == ["failed"]
        sound.gate.set()
        lost, good = sorted(
            await asyncio.gather(*held, return_exceptions=True), key=lambda one: isinstance(one, Embedded)
        )
        assert isinstance(lost, DeviceFailed)
        assert lost.on_device
        assert isinstance(good, Embedded)
        with pytest.raises(DeviceFailed):
            await batcher.text("later")


async def test_one_part_that_hangs_is_noticed_while_others_go_on(tiny_encoder: Encoder) -> None:
    async with in_parts(tiny_encoder, 2) as (batcher, device):
        watch = DeviceWatch([batcher], most_s=3, every_s=1)
        held = ask(batcher, "first", "second")
        sound, _ = await device.occupied(2)
        sound.gate.set()
        _, [hangs] = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        for number in range(4):
            watch._look(0, batcher)
            assert (await batcher.text(f"text {number}")).batch == 1
        watch._look(0, batcher)
        with pytest.raises(DeviceFailed):
            await hangs
        with pytest.raises(DeviceFailed):
            await batcher.text("later")


async def test_closing_lets_every_part_end_its_batch(tiny_encoder: Encoder) -> None:
    async with in_parts(tiny_encoder, 2) as (batcher, device):
        held = ask(batcher, "first", "second")
        await device.occupied(2)
        waits = ask(batcher, "third")
        await eventually(lambda: batcher.stats().queued == 1)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close))
        with pytest.raises(EncoderAway):
            await waits[0]
        device.open()
        await closing
        assert [one.batch for one in await asyncio.gather(*held)] == [1, 1]


async def test_models_share_the_seats_of_one_device(tiny_encoder: Encoder) -> None:
    turns = DeviceTurns(2)
    async with (
        in_parts(tiny_encoder, 2, turns=turns) as (first, its),
        in_parts(tiny_encoder, 2, turns=turns) as (second, others),
    ):
        held = ask(first, "a")
        await its.occupied(1)
        held += ask(second, "b")
        await others.occupied(1)
        held += [*ask(first, "c"), *ask(second, "d")]
        await eventually(lambda: len(turns._waiting) == 2)
        assert (len(its.working()), len(others.working())) == (1, 1)
        its.open()
        others.open()
        assert len(await asyncio.gather(*held)) == 4
        assert turns.more(9) == 2, "all seats were given back"


def test_a_seat_that_somebody_waits_for_is_nobody_elses() -> None:
    turns = DeviceTurns(3)
    assert turns.take_if_free()
    turns._waiting.append(lambda: "interactive")
    assert turns.more(2) == 0
    turns._waiting.clear()
    assert turns.more(1) == 1
    turns.done(2)
    assert turns.more(9) == 3


@settings(max_examples=40, deadline=None)
@given(
    asked=st.lists(
        st.tuples(
            st.sampled_from(["text", "image"]),
            st.integers(0, 5),
            st.sampled_from(["interactive", "bulk"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=30,
    ),
    parts=st.integers(2, 3),
)
async def test_each_caller_gets_its_own_vector_from_whichever_part(
    tiny_encoder: Encoder, asked: list[Any], parts: int
) -> None:
    async with in_parts(tiny_encoder, parts) as (batcher, device):
        device.open()
        tasks = []
        for kind, content, lane, gives_up in asked:
            shade = picture(tiny_encoder, 40 * content)
            one = batcher.text(f"text {content}", lane=lane) if kind == "text" else batcher.image(shade, lane=lane)
            tasks.append(asyncio.create_task(one))
            if gives_up:
                await asyncio.sleep(0)
                tasks[-1].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    for (kind, content, _, gives_up), answer in zip(asked, answers, strict=True):
        if gives_up:
            assert isinstance(answer, asyncio.CancelledError)
            continue
        assert isinstance(answer, Embedded)
        np.testing.assert_allclose([answer.vector], expected(tiny_encoder, kind, content), atol=1e-4)
