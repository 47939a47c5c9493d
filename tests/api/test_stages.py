"""Stages of a job that takes long reach those who hear of it; none comes after its end."""

import asyncio

import pytest

from shared import keys
from shared.connection import connect
from shared.settings import Settings
from shared.stages import Note, pack
from tests.api.conftest import Client
from tests.api.serving import Api
from tests.api.stand_in import StandIn
from tests.api.streaming import streaming
from tests.api.talking import talking

pytestmark = pytest.mark.anyio


async def publish(settings: Settings, *notes: Note) -> None:
    """Once somebody listens."""
    async with connect(settings) as redis, asyncio.timeout(30):
        while not await redis.publish(keys.STAGES, pack(notes)):
            await redis.ping()


async def test_a_stage_is_an_event_of_a_running_job(
    api: Api, client: Client, settings: Settings, things: str, worker: StandIn
) -> None:
    async with talking(api) as talk:
        await talk.search("c1", "wait")
        running = (await talk.until("event", state="running"))[-1]
        job = running["job"]
        async with streaming(client, job) as stream:
            assert await stream.next() is not None
            await publish(settings, Note("unknown", "encode"), Note(job, "ingest", 1, 4))
            told = await talk.next()
            streamed = await stream.next()
            worker.gate.set()
            rest = await stream.rest()
        end = (await talk.until("result"))[-1]
        # Too late: the job has ended, so nobody is told.
        await publish(settings, Note(job, "search"))
        await talk.say("ping")
        assert (await talk.next())["op"] == "pong"

    assert (told["op"], told["id"], told["state"]) == ("event", "c1", "running")
    assert (told["stage"], told["done"], told["total"]) == ("ingest", 1, 4)
    assert running["seq"] < told["seq"] < end["seq"]
    assert streamed is not None
    assert (streamed.frame["stage"], [one.name for one in rest]) == ("ingest", ["result"])
    assert "stage" not in running
