"""The small queue and flag behave as asyncio's do, for one reader."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.lean import LeanFlag, LeanQueue

pytestmark = pytest.mark.anyio


@given(st.lists(st.integers() | st.none(), max_size=30))
def test_what_was_put_first_comes_first(steps: list[int | None]) -> None:
    """A number is put, nothing means: take."""

    async def run() -> None:
        queue, model = LeanQueue(), asyncio.Queue[int]()
        for step in steps:
            if step is not None:
                queue.put_nowait(step)
                model.put_nowait(step)
            elif not model.empty():
                assert await queue.get() == model.get_nowait()
            assert queue.empty() == model.empty()

    asyncio.run(run())


async def test_a_reader_that_waits_is_woken_and_one_that_gave_up_loses_nothing() -> None:
    queue = LeanQueue()
    given_up = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    reader = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait("a")
    queue.put_nowait("b")
    assert await reader == "a"
    assert await queue.get() == "b"


async def test_all_who_wait_for_a_flag_go_on_though_one_gives_up() -> None:
    flag = LeanFlag()
    assert flag.is_set()
    assert await flag.wait()
    flag.clear()
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    flag.set()
    assert await asyncio.gather(*waiting[1:]) == [True, True]
    assert waiting[0].cancelled()
