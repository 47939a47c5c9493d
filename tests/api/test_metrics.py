"""GET /metrics of a running API: what it says is true, readable, and bounded."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared import keys
from shared.connection import connect
from shared.events import Events
from shared.settings import Settings
from shared.vitals import unread_s
from tests.api.conftest import Client
from tests.api.serving import Api
from tests.api.stand_in import StandIn
from tests.api.talking import talking
from tests.api.test_search import cat
from tests.workers.fleet import eventually

pytestmark = pytest.mark.anyio


async def samples(client: Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by name and labels, as Prometheus' own parser reads them."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def labelled(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


async def test_answers_are_timed_by_route_and_status(client: Client, things: str, worker: StandIn) -> None:
    job = (await client.post("/v1/search?wait=20", json=cat())).json()["id"]
    await client.post("/v1/search", json=cat(limit=0))
    await client.get(f"/v1/jobs/{job}")
    found = await samples(client)

    count = "clipline_http_request_duration_seconds_count"
    assert found[labelled(count, method="POST", route="/v1/search", status="200")] == 1
    assert found[labelled(count, method="POST", route="/v1/search", status="422")] == 1
    assert found[labelled(count, method="GET", route="/v1/jobs/{job_id}", status="200")] == 1
    assert found[labelled("clipline_lane_depth", lane="bulk")] == 0
    assert found[labelled("clipline_workers")] == found[labelled("clipline_redis_up")] == 1


async def test_what_callers_invent_becomes_no_label(client: Client) -> None:
    before = len(await samples(client))
    for number in range(20):
        await client.get(f"/nowhere/{number}")
        await client.request("DELETE", f"/v1/jobs/x/{number}")
        await client.request("PROPFIND", f"/v1/jobs/{number}")
    after = await samples(client)

    routes = {value for _, labels in after for name, value in labels if name == "route"}
    assert routes <= {"none", "/metrics", "/v1/jobs/{job_id}"}
    # Three more series at most, of sixteen buckets, their sum and count each, and that of /metrics itself.
    assert len(after) - before <= 5 * 20


async def test_refused_frames_and_open_websockets_are_counted(
    api: Api, client: Client, settings: Settings, things: str
) -> None:
    async with talking(api) as talk:
        assert (await samples(client))[labelled("clipline_websockets")] == 1
        await talk.search("c1", collection="unknown")
        async with connect(settings) as redis:
            await redis.zadd(keys.queue("interactive"), {f"j{n}": 9e15 for n in range(settings.max_queued_interactive)})
        await talk.search("c2")
        await talk.until("error", id="c2")
        found = await samples(client)

    refused = {labels: count for (name, labels), count in found.items() if name == "clipline_refused_total"}
    assert refused == {frozenset({("reason", "queue-full")}): 1}


async def test_prometheus_may_ask_for_its_newer_format(client: Client) -> None:
    accept = "application/openmetrics-text;version=1.0.0"
    plain, open_metrics = await client.get("/metrics"), await client.get("/metrics", headers={"accept": accept})

    assert plain.headers["content-type"].startswith("text/plain")
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")


async def test_the_loop_s_lag_is_measured_while_the_api_runs(client: Client) -> None:
    async def ticks() -> float:
        return (await samples(client))[labelled("clipline_event_loop_lag_seconds_count")]

    assert await eventually(ticks)


async def test_events_that_nobody_passed_on_have_an_age(settings: Settings, things: str) -> None:
    async with connect(settings) as redis:
        last = await Events(redis).last()
        assert await unread_s(redis, last) == 0.0
        await redis.xadd(keys.EVENTS, {"t": "default"}, id="1000-1")
        # The event's id says 1970, whatever the machine's clock does meanwhile.
        assert await unread_s(redis, last) > 40 * 365 * 86_400


async def test_an_api_that_follows_its_events_is_not_behind(client: Client, things: str, worker: StandIn) -> None:
    await client.post("/v1/search?wait=20", json=cat())

    async def behind() -> bool:
        return (await samples(client))[labelled("clipline_events_lag_seconds")] == 0.0

    assert await eventually(behind)
