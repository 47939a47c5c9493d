"""The blocking client, from threads that have no event loop."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from client import Clipline, CliplineError, CollectionSpec, JobResult, Upload
from shared.errors import CollectionNotFound, JobFinished
from shared.settings import Settings
from tests.api.serving import serving
from tests.api.stand_in import StandIn, working
from tests.cli.pictures import draw
from tests.client.conftest import states_of


@contextmanager
def at_work(settings: Settings) -> Iterator[StandIn]:
    """A worker on an event loop of its own thread."""
    ready, stop = threading.Event(), asyncio.Event()
    made: list[tuple[asyncio.AbstractEventLoop, StandIn]] = []

    async def work() -> None:
        async with working(settings) as worker:
            made.append((asyncio.get_running_loop(), worker))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(work(),), name="worker")
    thread.start()
    try:
        assert ready.wait(60)
        yield made[0][1]
    finally:
        made[0][0].call_soon_threadsafe(stop.set)
        thread.join()


@pytest.fixture
def worker(settings: Settings) -> Iterator[StandIn]:
    with at_work(settings) as stand_in:
        yield stand_in


@pytest.fixture
def clipline(settings: Settings, worker: StandIn) -> Iterator[Clipline]:
    with serving(settings) as api, Clipline(api.url) as one:
        one.create_collection("things", CollectionSpec(payload={"label": "keyword"}))
        yield one


def test_each_verb_waits_for_its_answer(clipline: Clipline, worker: StandIn, tmp_path: Path) -> None:
    assert [one.name for one in clipline.collections()] == ["things"]
    assert clipline.collection("things").payload == {"label": "keyword"}
    picture = draw(tmp_path / "a.png", 1)
    assert clipline.upload("things", [picture, Upload("b.png", picture.read_bytes())]).added == 2
    assert (clipline.search("things", "a cat", limit=1).hits or [])[0].payload == {"label": "a cat"}
    assert clipline.item("things", 3).payload == {"n": 3}
    assert clipline.typeahead("things").ask("a dog") is not None
    steps = list(clipline.submit("things", "a cow", limit=1))
    assert states_of(steps) == ["queued", "running", "succeeded"]
    job = steps[0].job
    assert clipline.job(job).state == clipline.finished(job).state == "succeeded"
    assert [step.state for step in clipline.follow(job)] == ["succeeded"]
    assert [one.id for one in clipline.jobs(q="a cow").jobs] == [job]
    with pytest.raises(JobFinished):
        clipline.cancel(job)
    with pytest.raises(CliplineError):
        clipline.retry(job)
    clipline.drop_collection("things")
    with pytest.raises(CollectionNotFound):
        clipline.search("things", "a cat")


def test_many_threads_share_one(clipline: Clipline) -> None:
    texts = [f"picture {number}" for number in range(30)]
    with ThreadPoolExecutor(10) as threads:
        found = list(threads.map(lambda text: clipline.search("things", text, limit=1), texts))
    assert [(one.hits or [])[0].payload for one in found] == [{"label": text} for text in texts]


def test_steps_that_nobody_reads_to_the_end_do_no_harm(clipline: Clipline) -> None:
    steps = clipline.submit("things", "a cat", limit=1)
    assert next(steps).state == "queued"
    del steps
    last = list(clipline.submit("things", "a dog", limit=1))[-1]
    assert isinstance(last, JobResult)


def test_a_client_that_nobody_closed_lets_the_program_end() -> None:
    program = "from client import Clipline; Clipline('http://127.0.0.1:1'); print('done')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_an_address_that_is_none_is_told_at_once() -> None:
    for address in ("localhost:8000", "ftp://host", "http://", "http://[::1"):
        with pytest.raises(ValueError, match=r"."):
            Clipline(address)
