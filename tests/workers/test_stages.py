"""What takes long is told now and then; what is quick never is."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import keys
from shared.connection import connect
from shared.settings import Settings
from shared.stages import Note, pack, unpack
from workers.stages import Stages

pytestmark = pytest.mark.anyio

STEPS = st.lists(st.sampled_from(["look", "leave"]) | st.integers(0, 3), max_size=40)


@given(STEPS)
def test_a_change_is_told_once_and_never_of_a_job_that_came_since_the_last_look(steps: list[str | int]) -> None:
    stages, last, since_look = Stages(), Note("j", "ingest"), 0
    told: list[Note] = []
    for step in steps:
        if isinstance(step, int):
            stages.enter("j", "ingest", done=step, total=3)
        elif step == "leave":
            stages.leave("j")
            since_look, last = 0, Note("j", "ingest")
        else:
            changes = stages.changes()
            assert not changes or since_look > 0
            assert changes != [last]
            last = changes[0] if changes else last
            told += changes
            since_look += 1
    assert all(unpack(pack([note])) == [note] for note in told)


def test_a_quick_job_is_not_told_of() -> None:
    stages = Stages()
    for number in range(10):
        stages.enter(f"j{number}", "encode")
        stages.enter(f"j{number}", "search")
        assert stages.changes() == []
        stages.leave(f"j{number}")
    assert stages.changes() == []


async def test_changes_reach_who_listens_in_one_message(settings: Settings) -> None:
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking, blocking.pubsub() as channel:
        await channel.subscribe(keys.STAGES)
        stages = Stages()
        stages.enter("a", "encode")
        stages.enter("b", "ingest", done=1, total=2)
        async with asyncio.timeout(30):
            await stages.tell(redis)
            await stages.tell(redis)
            message = None
            while message is None:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=5)
    assert unpack(message["data"]) == [Note("a", "encode"), Note("b", "ingest", 1, 2)]
