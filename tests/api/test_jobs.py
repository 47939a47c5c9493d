from typing import Any

import anyio
import pytest

from tests.api.conftest import Client
from tests.api.stand_in import StandIn
from tests.api.test_search import cat, problem

pytestmark = pytest.mark.anyio


async def submit(client: Client, text: str = "a cat", **more: Any) -> str:
    response = await client.post("/v1/search", json=cat(query={"text": text}, **more))
    return str(response.json()["id"])


async def test_a_waiting_look_returns_when_the_job_ends(client: Client, things: str, worker: StandIn) -> None:
    job_id = await submit(client, "wait for it")
    await worker.waiting.acquire()

    async def open_gate() -> None:
        assert (await client.get(f"/v1/jobs/{job_id}")).json()["state"] == "running"
        worker.gate.set()

    async with anyio.create_task_group() as group:
        group.start_soon(open_gate)
        job = (await client.get(f"/v1/jobs/{job_id}?wait=20")).json()

    assert job["state"] == "succeeded"
    assert (job["attempts"], job["worker"]) == (1, "w1")


async def test_the_ledger_pages_newest_first(client: Client, things: str) -> None:
    ids = [await submit(client, f"number {number}") for number in range(5)]

    first = (await client.get("/v1/jobs?limit=3")).json()
    second = (await client.get("/v1/jobs", params={"limit": 3, "before": first["next"]})).json()

    listed = [job["id"] for job in first["jobs"] + second["jobs"]]
    assert sorted(listed) == sorted(ids)
    assert second["next"] is None


async def test_the_ledger_filters(client: Client, things: str, worker: StandIn) -> None:
    await client.post("/v1/search?wait=20", json=cat(query={"text": "fail this"}))
    await client.post("/v1/search?wait=20", json=cat(query={"text": "a red apple"}))

    async def found(**where: str) -> list[str]:
        return [job["text"] for job in (await client.get("/v1/jobs", params=where)).json()["jobs"]]

    assert await found(state="failed") == ["fail this"]
    assert await found(q="apple red") == ["a red apple"]
    assert await found(kind="ingest") == []


@pytest.mark.parametrize("query", ["state=lost", "kind=x", "limit=0", "limit=201", "before=yesterday", "stat=failed"])
async def test_a_bad_question_is_422(client: Client, query: str) -> None:
    assert problem(await client.get(f"/v1/jobs?{query}"))[:2] == (422, "invalid")


async def test_an_unknown_job_is_404_everywhere(client: Client) -> None:
    for response in (
        await client.get("/v1/jobs/nothing"),
        await client.get("/v1/jobs/nothing?wait=5"),
        await client.delete("/v1/jobs/nothing"),
        await client.post("/v1/jobs/nothing/retry"),
    ):
        assert problem(response) == (404, "job-not-found", None)


async def test_a_queued_job_is_cancelled_at_once(client: Client, things: str) -> None:
    job_id = await submit(client)

    response = await client.delete(f"/v1/jobs/{job_id}")

    assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    assert problem(await client.delete(f"/v1/jobs/{job_id}")) == (409, "job-finished", None)


async def test_a_running_job_is_cancelled_by_its_worker(client: Client, things: str, worker: StandIn) -> None:
    job_id = await submit(client, "wait for ever")
    await worker.waiting.acquire()

    response = await client.delete(f"/v1/jobs/{job_id}")
    job = (await client.get(f"/v1/jobs/{job_id}?wait=20")).json()

    assert response.status_code == 202
    assert (job["state"], job["error"]["type"]) == ("cancelled", "cancelled")


async def test_a_failed_job_runs_again_under_its_id(client: Client, things: str, worker: StandIn) -> None:
    job_id = await submit(client, "fail twice")
    await client.get(f"/v1/jobs/{job_id}?wait=20")

    plain = await client.post(f"/v1/jobs/{job_id}/retry")
    await client.get(f"/v1/jobs/{job_id}?wait=20")
    waited = await client.post(f"/v1/jobs/{job_id}/retry?wait=20")

    assert (plain.status_code, plain.json()["id"]) == (202, job_id)
    assert (waited.status_code, waited.json()["state"]) == (200, "failed")
    assert len(worker.searched) == 3


async def test_a_succeeded_or_open_job_is_not_run_again(client: Client, things: str, worker: StandIn) -> None:
    done = (await client.post("/v1/search?wait=20", json=cat())).json()["id"]
    waiting = await submit(client, "wait")

    assert problem(await client.post(f"/v1/jobs/{done}/retry")) == (409, "job-not-retryable", None)
    assert problem(await client.post(f"/v1/jobs/{waiting}/retry")) == (409, "job-not-retryable", None)


async def test_an_address_that_is_none_and_a_wrong_method_are_problems(client: Client) -> None:
    wrong = await client.patch("/v1/jobs")

    assert problem(await client.get("/v1/nothing")) == (404, "not-found", None)
    assert problem(await client.get("/v1/jobs/")) == (404, "not-found", None)
    assert problem(wrong) == (405, "method-not-allowed", None)
    assert wrong.headers["allow"]


async def test_every_answer_has_the_request_id_of_its_caller(client: Client, things: str) -> None:
    given = await client.get("/v1/jobs", headers={"x-request-id": "trace-0001"})
    wrong = await client.get("/v1/nothing", headers={"x-request-id": "not well\tformed"})

    assert given.headers["x-request-id"] == "trace-0001"
    assert len(wrong.headers["x-request-id"]) == 32
