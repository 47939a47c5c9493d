"""`clipline jobs`: what the queue did and does."""

import asyncio
from typing import Annotated, Any

import msgspec
import typer

from cli import table
from cli.client import connect, view
from cli.options import DEFAULT_URL, AsJson, Key, Url, group, out
from shared.jobs import JobView, Kind, State

app = group("What the queue did and does; without a command, the newest jobs.")

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]
OfState = Annotated[State | None, typer.Option("--state", help="Only jobs in this state.")]
OfKind = Annotated[Kind | None, typer.Option("--kind", help="Only jobs of this kind.")]
Words = Annotated[str | None, typer.Option("--find", help="An id's beginning, or words of the query text.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many at most.")]


@app.callback()
def default(context: typer.Context, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """What the queue did and does; without a command, the newest jobs.

    Examples:

        clipline jobs

        clipline jobs list --state failed --json

        clipline jobs retry 0f3a…
    """
    if context.invoked_subcommand is None:
        list_(url=url, key=key, json=json)


@app.command("list")
def list_(
    state: OfState = None,
    kind: OfKind = None,
    find: Words = None,
    limit: Limit = 20,
    url: Url = DEFAULT_URL,
    key: Key = None,
    *,
    json: AsJson = False,
) -> None:
    """Jobs, newest first."""
    params = {"state": state, "kind": kind, "q": find, "limit": limit}
    given = {name: value for name, value in params.items() if value is not None}
    page = asyncio.run(_call("GET", "/v1/jobs", url, key, params=given))
    if json:
        table.show_json(page)
        return
    jobs = [view(job) for job in page["jobs"]]
    if not jobs:
        out.print("no jobs")
        return
    table.show(("id", "kind", "state", "created", "took", "about"), [_row(job) for job in jobs])


@app.command()
def show(job_id: JobId, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """One job: state, timings, result or error."""
    _print(asyncio.run(_call("GET", f"/v1/jobs/{job_id}", url, key)), json=json)


@app.command()
def cancel(job_id: JobId, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Take a job back, whether it waits or runs."""
    asyncio.run(_call("DELETE", f"/v1/jobs/{job_id}", url, key))
    out.print("cancelled")


@app.command()
def retry(job_id: JobId, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Run a failed job again under its id."""
    asyncio.run(_call("POST", f"/v1/jobs/{job_id}/retry", url, key))
    out.print("queued again")


async def _call(method: str, path: str, url: str, key: str | None, *, params: dict[str, Any] | None = None) -> Any:
    async with connect(url, key) as client:
        return await client.call(method, path, params=params)


def _row(job: JobView) -> tuple[object, ...]:
    took = f"{job.timings.total_ms:.0f} ms" if job.timings else ""
    about = job.text or job.collection
    return (job.id, job.kind, job.state, job.created_at, took, job.error.title if job.error else about)


def _print(job: Any, *, json: bool) -> None:
    if json:
        table.show_json(job)
    else:
        out.print(msgspec.json.format(msgspec.json.encode(job)).decode(), markup=False)
