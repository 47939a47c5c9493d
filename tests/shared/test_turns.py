"""Work in small pieces: everything is done, in its order, and no turn of the loop has more than its share."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.turns import Turns, spread
from tests.shared.examples import some
from tests.ticking import Clock, ticking


@some
@given(count=st.integers(0, 40), at_once=st.integers(1, 9))
def test_items_come_in_their_order_and_few_in_one_turn(count: int, at_once: int) -> None:
    async def run() -> list[tuple[int, int]]:
        async with ticking() as clock:
            return [(number, clock.turn) async for number in spread(range(count), at_once=at_once)]

    seen = asyncio.run(run())
    assert [number for number, _ in seen] == list(range(count))
    in_turn = Counter(turn for _, turn in seen)
    assert max(in_turn.values(), default=0) <= at_once
    assert len(in_turn) == -(-count // at_once)


@some
@given(
    batches=st.lists(st.integers(0, 20), max_size=6),
    at_once=st.integers(1, 5),
    leavers=st.sets(st.integers(0, 119)),
)
def test_tasks_go_on_in_the_order_in_which_they_came_and_few_in_one_turn(
    batches: list[int], at_once: int, leavers: set[int]
) -> None:
    """New ones come in every turn, in front of nobody; those that are cancelled while they wait take no place."""
    went: list[tuple[int, int]] = []

    async def run() -> None:
        turns = Turns(at_once=at_once)

        async def one(number: int, clock: Clock) -> None:
            await turns.mine()
            went.append((number, clock.turn))

        async with ticking() as clock:
            tasks: list[asyncio.Task[None]] = []
            for size in batches:
                tasks += [asyncio.create_task(one(len(tasks) + extra, clock)) for extra in range(size)]
                await asyncio.sleep(0)
                for number in leavers & set(range(len(tasks))):
                    tasks[number].cancel()
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    asyncio.run(run())
    numbers = [number for number, _ in went]
    assert numbers == sorted(numbers)
    assert set(range(sum(batches))) - leavers <= set(numbers)
    # In one turn, some may have gone on before it counts anew.
    assert max(Counter(turn for _, turn in went).values(), default=0) <= 2 * at_once


def test_a_task_that_comes_when_nobody_waits_goes_on_at_once() -> None:
    async def run() -> list[str]:
        turns, seen = Turns(at_once=2), list[str]()

        async def one() -> None:
            await turns.mine()
            seen.append("it")

        task = asyncio.create_task(one())
        asyncio.get_running_loop().call_soon(seen.append, "what came after it")
        await task
        return seen

    assert asyncio.run(run()) == ["it", "what came after it"]
