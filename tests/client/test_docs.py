"""The Python of docs/clients.md, as it stands there, against a real API."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.api.conftest import make_collection
from tests.api.serving import Api
from tests.api.stand_in import StandIn

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "clients.md").read_text(), re.MULTILINE | re.DOTALL)
STATES = ["queued", "running", "succeeded"]


async def told(example: str, api: Api) -> list[str]:
    program = example.replace("http://127.0.0.1:8000", api.url)
    command = [sys.executable, "-W", "error", "-c", program]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode().splitlines()


async def test_the_examples_do_what_they_say(api: Api, settings: Settings, worker: StandIn) -> None:
    await make_collection(settings, "default", "pictograms")
    blocking, asynchronous = [await told(example, api) for example in EXAMPLES]
    assert blocking[:3] == ["1.00 red fruit"] * 3
    assert [line for line in blocking[3:] if line in STATES] == blocking[3:]
    assert list(dict.fromkeys(blocking[3:])) == STATES
    *states, count, answered = asynchronous
    assert list(dict.fromkeys(states)) == STATES
    assert (count, answered) == ("3", "[False, False, True]")
