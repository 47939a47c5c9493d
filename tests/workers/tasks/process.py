"""A worker as operators run it: `python -m workers`."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from shared.settings import PREFIX, Settings, to_env

ROOT = Path(__file__).parents[3]


async def start(variables: Mapping[str, str]) -> Process:
    """Its standard output and error come back from `communicate()`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "workers",
        env={**kept, **variables},
        cwd=ROOT,
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def worker_process(settings: Settings) -> AsyncIterator[Process]:
    """Killed at the end of the block, if it still runs."""
    process = await start(to_env(settings))
    reading = asyncio.create_task(process.communicate())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await reading
