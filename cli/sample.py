"""The sample collection: built once, indexed through `clipline ingest` like anybody's pictures."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from cli import tether
from cli.failures import Failure
from cli.options import err
from cli.remote import connect
from client import calls
from client.calls import Call, call
from client.http import Http
from shared.errors import Forbidden, NotFound
from shared.jobs import CollectionSpec
from shared.settings import PREFIX

NAME = "pictograms"
SPEC = CollectionSpec(payload={"label": "keyword", "group": "keyword", "subgroup": "keyword", "tags": "keyword"})
QUERIES = ("cat", "red fruit", "happy face")
PATIENCE_S = 30.0


async def prepare(url: str, folder: Path) -> None:
    """Build the pictures below `folder` and index those that the collection lacks. Raises Failure, CliplineError."""
    pictures = folder / "demo" / NAME
    await _tool("-m", "demo.collection", str(pictures))
    key = os.environ.get(PREFIX + "KEY")
    async with connect(url, key, patience_s=PATIENCE_S) as http:
        await _collection(http)
    await _tool(*("-m", "cli.main", "ingest", str(pictures), "--collection", NAME, "--source-root", NAME, "--url", url))


async def _collection(http: Http) -> None:
    """Make it, afresh when another model filled it: its pictures are all ours to add again."""
    known = await _found(http, calls.collection(NAME))
    fleet = await _found(http, call("GET", "/v1/workers"))
    serving = {worker["fingerprint"] for worker in fleet["workers"]} if fleet else set()
    if known and serving and known["model"] not in serving:
        err.print(f"{NAME} was filled with another model; its pictures are added again")
        await http.changed(calls.drop_collection(NAME))
    await http.changed(calls.create_collection(NAME, SPEC))


async def _found(http: Http, call: Call) -> dict[str, Any] | None:
    """None for what is not there, or not for this key."""
    try:
        found: dict[str, Any] = await http.json(call)
    except (Forbidden, NotFound):
        return None
    return found


async def _tool(*arguments: str) -> None:
    """Run a Python module to its end, its progress on our terminal; a cancelled wait ends it."""
    process = await asyncio.create_subprocess_exec(
        *tether.command(sys.executable, "-P", *arguments), stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        await _kill(process)
        raise
    if code != 0:
        raise Failure(f"the sample collection could not be made (code {code})")


async def _kill(process: asyncio.subprocess.Process) -> None:
    """The tool and the processes that it works with; both steps go on from wherever they were cut off."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
