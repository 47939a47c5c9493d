"""The client's verbs over HTTP: pictures, collections, items, jobs."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest

from client import AsyncClipline, CollectionSpec, Condition, File, Filter, Range, Unavailable, Upload, calls
from client.calls import Call
from client.http import Taken
from client.problems import NoAnswer, failure_of
from shared import errors
from shared.collections import Collections, from_spec
from shared.connection import connect
from shared.errors import (
    CollectionDiffers,
    CollectionNotFound,
    ItemNotFound,
    JobFinished,
    SessionNotFound,
    TooManyRequests,
)
from shared.jobs import Query, Search
from shared.settings import Settings
from shared.tenants import DEFAULT_TENANT
from tests.api.stand_in import StandIn
from tests.cli.pictures import draw

pytestmark = pytest.mark.anyio


async def test_collections_are_made_shown_and_dropped(clipline: AsyncClipline, worker: StandIn) -> None:
    spec = CollectionSpec(group_field="video", payload={"year": "integer"})
    await clipline.create_collection("films", spec)
    await clipline.create_collection("films", spec)
    with pytest.raises(CollectionDiffers):
        await clipline.create_collection("films")
    assert [one.name for one in await clipline.collections()] == ["films"]
    assert (await clipline.collection("films")).group_field == "video"
    await clipline.drop_collection("films")
    with pytest.raises(CollectionNotFound):
        await clipline.collection("films")


async def test_pictures_are_sent_under_their_names_with_their_payloads(
    clipline: AsyncClipline, things: str, worker: StandIn, tmp_path: Path
) -> None:
    file = draw(tmp_path / "file.png", 1)
    odd = Upload(source='a "quoted" ✓ name.png', data=file.read_bytes(), payload={"year": 1999})
    done = await clipline.upload(things, [file, odd])
    assert (done.added, done.skipped) == (2, [])
    assert worker.contents == {"file.png": file.read_bytes(), odd.source: file.read_bytes()}
    [job] = worker.ingested
    assert [one.payload for one in job.files] == [None, {"year": 1999}]


async def test_many_pictures_go_in_several_jobs_that_count_as_one(
    clipline: AsyncClipline, things: str, worker: StandIn, tmp_path: Path
) -> None:
    data = draw(tmp_path / "file.png", 1).read_bytes()
    done = await clipline.upload(things, [Upload(source=f"{one}.png", data=data) for one in range(300)])
    assert done.added == 300
    assert sorted(len(job.files) for job in worker.ingested) == [44, 128, 128]


async def test_pictures_are_added_by_reference(clipline: AsyncClipline, things: str, worker: StandIn) -> None:
    done = await clipline.ingest(things, [File(source="a.png", path="/pictures/a.png", payload={"year": 1})])
    assert done.added == 1
    assert worker.ingested[0].files[0].path == "/pictures/a.png"


async def test_an_item_is_read(clipline: AsyncClipline, things: str, worker: StandIn) -> None:
    assert (await clipline.item(things, 7)).payload == {"n": 7}
    with pytest.raises(ItemNotFound):
        await clipline.item(things, 1_000)
    with pytest.raises(ItemNotFound):
        await clipline.media(things, 7)


async def test_values_are_counted_and_neighbours_read(
    clipline: AsyncClipline, settings: Settings, worker: StandIn
) -> None:
    spec = CollectionSpec(group_field="video", payload={"year": "integer"})
    async with connect(settings) as redis:
        await Collections(redis).put(DEFAULT_TENANT, from_spec("films", spec))
    where = Filter(must=[Condition(key="year", range=Range(gt=1999))])
    [facet] = await clipline.facets("films", ["year"], filter=where, limit=1)
    assert (facet.field, [(one.value, one.count) for one in facet.values]) == ("year", [("cat", 3)])
    around = await clipline.neighbours("films", 7, before=1)
    assert ([one.id for one in around.before], [one.id for one in around.after]) == ([6], [8, 9, 10])


async def test_jobs_are_listed_page_by_page_and_run_again(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    for text in ("one", "two", "fail"):
        await clipline.http.ended(_call(things, text), timeout_s=60)
    page = await clipline.jobs(limit=2)
    assert [job.text for job in page.jobs] == ["fail", "two"]
    assert [job.text for job in (await clipline.jobs(before=page.next)).jobs] == ["one"]
    [failed] = (await clipline.jobs(state="failed", since=datetime(2026, 1, 1, tzinfo=UTC))).jobs
    assert (await clipline.jobs(kind="search", until=datetime(2026, 1, 1, tzinfo=UTC))).jobs == []
    with pytest.raises(JobFinished):
        await clipline.cancel(failed.id)
    await clipline.retry(failed.id)
    assert (await clipline.finished(failed.id)).state == "failed"
    assert (await clipline.job(failed.id)).attempts == 1


async def test_a_job_that_does_not_end_in_time_says_so(clipline: AsyncClipline, things: str, worker: StandIn) -> None:
    with pytest.raises(NoAnswer, match="has not ended"):
        await clipline.http.ended(_call(things, "wait"), timeout_s=0.2)


async def test_a_repeated_request_makes_one_job(
    clipline: AsyncClipline, things: str, worker: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_one(monkeypatch, "POST")
    job = await clipline.http.ended(_call(things, "once"), timeout_s=60)
    assert job.state == "succeeded"
    assert len((await clipline.jobs()).jobs) == len(lost) == 1


async def test_a_repeated_delete_whose_first_answer_was_lost_succeeds(
    clipline: AsyncClipline, things: str, worker: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, job = await clipline.create_session(), await clipline.http.read(_call(things, "wait"), Taken)
    for drop, gone in (
        (partial(clipline.drop_session, session), SessionNotFound),
        (partial(clipline.cancel, job.id), JobFinished),
        (partial(clipline.drop_collection, things), CollectionNotFound),
    ):
        with monkeypatch.context() as losing:
            lost = lose_one(losing, "DELETE")
            await drop()
            assert [response.is_success for response in lost] == [True]
        with pytest.raises(gone):
            await drop()
    assert (await clipline.job(job.id)).state == "cancelled"


async def test_what_ended_by_itself_was_not_cancelled_although_an_answer_was_lost(
    clipline: AsyncClipline, things: str, worker: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await clipline.http.ended(_call(things, "one"), timeout_s=60)
    lose_one(monkeypatch, "DELETE")
    with pytest.raises(JobFinished):
        await clipline.cancel(job.id)


async def test_a_delete_that_no_server_saw_before_is_refused_as_any_other(
    clipline: AsyncClipline, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_one(monkeypatch, "DELETE", error=httpx.ConnectError("refused"))
    with pytest.raises(SessionNotFound):
        await clipline.drop_session("nobody")


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "slug")]
)
def test_every_refusal_comes_back_as_the_error_that_it_was(kind: type[errors.CliplineError]) -> None:
    error = kind("because", field="query.text", retry_after_s=7)
    sent = httpx.Response(kind.status, json=_body(error))
    back = failure_of(sent)
    assert back.problem() == error.problem()
    assert type(back).slug == kind.slug


def test_a_proxy_s_own_page_is_an_error_of_its_status() -> None:
    def answered(status: int, **headers: str) -> errors.CliplineError:
        request = httpx.Request("GET", "http://x/v1/jobs")
        return failure_of(httpx.Response(status, html="<h1>nginx</h1>", headers=headers, request=request))

    assert isinstance(answered(502), Unavailable)
    busy = answered(429, **{"Retry-After": "9"})
    assert isinstance(busy, TooManyRequests)
    assert busy.retry_after_s == 9
    assert "418" in answered(418).detail


def lose_one(
    monkeypatch: pytest.MonkeyPatch, method: str, *, error: httpx.TransportError | None = None
) -> list[httpx.Response]:
    """The answer to the first request of a method is lost on its way, or the request itself; returns what was lost."""
    sending = httpx.AsyncHTTPTransport.handle_async_request
    lost: list[httpx.Response] = []

    async def losing(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        response = await sending(self, request)
        if lost or request.method != method:
            return response
        lost.append(response)
        await response.aread()
        raise error or httpx.ReadError("the answer was lost on its way")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", losing)
    return lost


def _body(error: errors.CliplineError) -> dict[str, object]:
    problem = error.problem()
    return {name: getattr(problem, name) for name in problem.__struct_fields__}


def _call(collection: str, text: str) -> Call:
    return calls.search(Search(collection=collection, query=Query(text=text)))
