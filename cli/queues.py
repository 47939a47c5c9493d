"""`clipline queues`: what waits and runs in each lane; pause and resume one."""

import asyncio
from typing import Annotated

import typer

from cli import table
from cli.options import DEFAULT_URL, AsJson, Key, Url, group, out
from cli.remote import ask
from client.calls import call

app = group("What waits and runs in each queue; operators pause and resume one.")

Name = Annotated[
    str,
    typer.Argument(
        metavar="QUEUE", help="interactive or bulk; of another model than the default one interactive@NAME."
    ),
]


@app.callback()
def default(context: typer.Context, url: Url = DEFAULT_URL, key: Key = None, *, json: AsJson = False) -> None:
    """What waits and runs in each queue.

    Examples:

        clipline queues

        clipline queues pause bulk
    """
    if context.invoked_subcommand is not None:
        return
    found = asyncio.run(ask(call("GET", "/v1/queues"), url, key))
    if json:
        table.show_json(found)
        return
    rows = [
        (one["name"], one["depth"], one["running"], one["oldest_age_s"] or "", "paused" if one["paused"] else "")
        for one in found["queues"]
    ]
    table.show(("queue", "waiting", "running", "oldest, s", ""), rows)


@app.command()
def pause(name: Name, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Accept jobs, hand out none; those that run go on."""
    asyncio.run(ask(call("POST", f"/v1/queues/{name}/pause"), url, key))
    out.print(f"{name} is paused")


@app.command()
def resume(name: Name, url: Url = DEFAULT_URL, key: Key = None) -> None:
    """Hand out jobs again."""
    asyncio.run(ask(call("POST", f"/v1/queues/{name}/resume"), url, key))
    out.print(f"{name} goes on")
