"""`clipline jobs`: what the queue did and does."""

import asyncio
from typing import Annotated, Any

import msgspec
import typer

from cli import table
from cli.failures import Failure
from cli.options import DEFAULT_URL, AsJson, Key, Url, group, out
from cli.remote import ask, connect
from client import calls
from client.calls import call
from shared.jobs import JobView, Kind, State
from shared.selection import Sweep, Verb

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
    page = asyncio.run(ask(calls.jobs(state=state, kind=kind, q=find, limit=limit), url, key))
    if json:
        table.show_json(page)
        return
    jobs = msgspec.convert(page["jobs"], list[JobView])
    if not jobs:
        out.print("no jobs")
        return
    table.show(("id", "kind", "state", "created", "took", "about"), [_row(job) for job in jobs])


@app.command()
def show(job_id: JobId, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """One job: state, timings, result or error."""
    _print(asyncio.run(ask(calls.job(job_id), url, key)), json=json)


@app.command()
def cancel(job_id: JobId, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Take a job back, whether it waits or runs."""
    asyncio.run(ask(calls.cancel(job_id), url, key))
    out.print("cancelled")


@app.command()
def retry(job_id: JobId, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Run a failed job again under its id."""
    asyncio.run(ask(calls.retry(job_id), url, key))
    out.print("queued again")


@app.command("cancel-all")
def cancel_all(
    state: Annotated[State, typer.Option("--state", help="queued or running.")] = "queued",
    kind: OfKind = None,
    find: Words = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
    *,
    json: AsJson = False,
) -> None:
    """Take back every job that passes the filter; for operators."""
    _sweep("cancel", "cancelled", state, kind, find, url, key, json=json)


@app.command()
def replay(
    state: Annotated[State, typer.Option("--state", help="An ended state other than succeeded.")] = "dead",
    kind: OfKind = None,
    find: Words = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
    *,
    json: AsJson = False,
) -> None:
    """Run every ended job that passes the filter again, the dead ones unless told otherwise; for operators.

    Examples:

        clipline jobs replay

        clipline jobs replay --state failed --kind ingest
    """
    _sweep("replay", "queued again", state, kind, find, url, key, json=json)


@app.command()
def purge(
    state: Annotated[State, typer.Option("--state", help="An ended state.")] = "dead",
    kind: OfKind = None,
    find: Words = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
    *,
    json: AsJson = False,
) -> None:
    """Forget every ended job that passes the filter, the dead ones unless told otherwise; for operators."""
    _sweep("purge", "forgotten", state, kind, find, url, key, json=json)


def _sweep(
    verb: Verb,
    done_word: str,
    state: State,
    kind: Kind | None,
    find: str | None,
    url: str,
    key: str | None,
    *,
    json: bool,
) -> None:
    swept = asyncio.run(_sweep_all(verb, Sweep(state=state, kind=kind, q=find), url, key))
    if json:
        table.show_json(swept)
    else:
        out.print(f"{swept['done']} {done_word}" + (f", {swept['skipped']} left as they were" * bool(swept["skipped"])))
    if swept["next"]:
        raise Failure("the queue is full: call again when it has room")


async def _sweep_all(verb: Verb, wanted: Sweep, url: str, key: str | None) -> dict[str, Any]:
    """Call until nothing is left, or until a call changes nothing."""
    total: dict[str, Any] = {"state": wanted.state, "done": 0, "skipped": 0, "next": None}
    async with connect(url, key) as http:
        while True:
            swept = await http.json(call("POST", f"/v1/jobs/{verb}", json=wanted))
            total |= {name: total[name] + swept[name] for name in ("done", "skipped")}
            if not swept["next"] or not (swept["done"] or swept["skipped"]):
                return total | {"next": swept["next"]}
            wanted = msgspec.structs.replace(wanted, before=swept["next"])


def _row(job: JobView) -> tuple[object, ...]:
    took = f"{job.timings.total_ms:.0f} ms" if job.timings else ""
    about = job.text or job.collection
    return (job.id, job.kind, job.state, job.created_at, took, job.error.title if job.error else about)


def _print(job: Any, *, json: bool) -> None:
    if json:
        table.show_json(job)
    else:
        out.print(msgspec.json.format(msgspec.json.encode(job)).decode(), markup=False)
