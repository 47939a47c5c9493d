"""`clipline workers`: who is alive; drain one."""

import asyncio
from typing import Annotated, Any

import typer

from cli import table
from cli.options import DEFAULT_URL, AsJson, Key, Url, group, out
from cli.remote import ask
from client.calls import call

app = group("Live workers; operators drain one.")

WorkerId = Annotated[str, typer.Argument(metavar="ID", help="The worker's id, as listed.")]


@app.callback()
def default(context: typer.Context, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """Live workers.

    Examples:

        clipline workers

        clipline workers drain gpu1-4711-a3f9c2
    """
    if context.invoked_subcommand is not None:
        return
    found = asyncio.run(ask(call("GET", "/v1/workers"), url, key))
    if json:
        table.show_json(found)
        return
    rows = [
        (one["id"], one["state"], one["device"], _models(one), one["running"], one["succeeded"])
        for one in found["workers"]
    ]
    table.show(("worker", "state", "device", "models", "running", "done"), rows)


def _models(worker: dict[str, Any]) -> str:
    return ", ".join(one["name"] for one in worker["models"])


@app.command()
def drain(worker_id: WorkerId, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Let a worker finish or hand back its jobs, and end; whoever supervises it may start another."""
    asyncio.run(ask(call("POST", f"/v1/workers/{worker_id}/drain"), url, key))
    out.print(f"{worker_id} drains")
