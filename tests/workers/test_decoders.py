"""The pool of decoders: as processes they give what threads give, survive crashes, and do not outlive their worker."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from shared.errors import BadPicture, NotVisible, PictureTooLarge
from shared.jobs import File
from shared.media import SIZES, paths_of
from tests.workers.fleet import eventually
from tests.workers.tasks.stack import settings_for, working, write_picture
from tests.workers.wrapped import Wrapped
from workers.decoders import FEW, NICENESS, decoders
from workers.encoders.protocol import Encoder, Pixels
from workers.executors import BoundedExecutor
from workers.ingest.prepare import Recipe, look, prepare
from workers.ingest.sources import Readable
from workers.ingest.thumbnails import Media

pytestmark = pytest.mark.anyio
COUNT = FEW + 1

PARENT = """
import multiprocessing, time
from workers.decoders import decoders

if __name__ == "__main__":
    pool = decoders({count})
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def processes() -> AsyncIterator[BoundedExecutor]:
    pool = await asyncio.to_thread(decoders, COUNT)
    yield pool
    await asyncio.to_thread(pool.close)


@pytest.fixture
def recipe(tmp_path: Path, tiny_encoder: Encoder) -> Recipe:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return Recipe(
        readable=Readable(folder, [folder]),
        max_pixels=10_000,
        max_bytes=100_000,
        media=Media(tmp_path / "media"),
        tenant="t",
        collection="c",
        preprocess=tiny_encoder.preprocess,
    )


async def test_a_process_prepares_what_this_one_would(
    processes: BoundedExecutor, recipe: Recipe, tmp_path: Path
) -> None:
    path = write_picture(recipe.readable.start / "a.png", seed=1)
    looked = await processes.run(look, path.name, recipe.readable, max_bytes=recipe.max_bytes)
    assert looked == look(path.name, recipe.readable, max_bytes=recipe.max_bytes)
    assert looked.hash is not None
    there = await processes.run(prepare, path.name, 1, looked.hash, recipe)
    here = prepare(path.name, 2, looked.hash, msgspec.structs.replace(recipe, tenant="other"))
    assert _copies(tmp_path, "t", 1) == _copies(tmp_path, "other", 2)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    assert (there.width, there.height) == (here.width, here.height) == (48, 40)


def _copies(folder: Path, tenant: str, item_id: int) -> list[bytes]:
    places = [one for size in SIZES for one in paths_of(folder / "media", tenant, "c", item_id, size)]
    found = [one.read_bytes() for one in places if one.exists()]
    assert len(found) == len(SIZES)
    return found


async def test_what_is_refused_is_told_in_the_same_words(processes: BoundedExecutor, recipe: Recipe) -> None:
    folder = recipe.readable.start
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    write_picture(folder / "large.png", seed=2)
    small = msgspec.structs.replace(recipe, max_pixels=100)
    for name, allowed, kind in (
        ("broken.jpg", recipe, BadPicture),
        ("missing.jpg", recipe, BadPicture),
        ("../elsewhere.jpg", recipe, NotVisible),
        ("large.png", small, PictureTooLarge),
    ):
        with pytest.raises(kind) as here:
            prepare(name, 1, "0" * 64, allowed)
        with pytest.raises(kind) as there:
            await processes.run(prepare, name, 1, "0" * 64, allowed)
        assert there.value.problem() == here.value.problem()


async def test_decoders_stand_back_behind_searches(processes: BoundedExecutor) -> None:
    assert await processes.run(os.nice, 0) == min(19, os.nice(0) + NICENESS)


async def test_a_decoder_that_crashes_is_replaced(processes: BoundedExecutor, recipe: Recipe) -> None:
    with pytest.raises(BrokenExecutor):
        await processes.run(os._exit, 3)
    write_picture(recipe.readable.start / "a.png", seed=1)
    assert (await processes.run(look, "a.png", recipe.readable, max_bytes=100_000)).kind == "picture"


def slowly(number: int) -> int:
    time.sleep(0.1)
    return number


def die_soon() -> None:
    time.sleep(0.05)
    os._exit(3)


async def test_only_what_crashes_decoders_fails(processes: BoundedExecutor) -> None:
    others = [processes.run(slowly, number) for number in range(4 * COUNT)]
    crashes = [processes.run(die_soon) for _ in range(2)]
    answers = await asyncio.gather(crashes[0], *others, crashes[1], return_exceptions=True)
    assert answers[1:-1] == list(range(4 * COUNT))
    assert all(isinstance(answers[end], BrokenExecutor) for end in (0, -1))


@pytest.mark.parametrize(
    "error", [OSError("no space left"), BrokenProcessPool("a process ended"), NotImplementedError()]
)
async def test_where_no_processes_can_be_had_threads_decode(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(count: int) -> None:
        raise error

    monkeypatch.setattr("workers.decoders._processes", fails)
    threads = decoders(COUNT)
    try:
        assert await threads.run(os.getpid) == os.getpid()
        assert "no processes" in caplog.text
    finally:
        threads.close()


async def test_a_killed_worker_leaves_no_decoders(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(count=COUNT))
    parent = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=PIPE)
    assert parent.stdout is not None
    children = list(map(int, (await parent.stdout.readline()).split()))
    assert len(children) == COUNT
    parent.kill()
    await parent.wait()
    await eventually(lambda: not any(_lives(pid) for pid in children))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Fatal:
    """A model's preprocessing that no process survives for a picture of one colour."""

    def __init__(self, preprocess: Callable[[Pixels], Pixels]) -> None:
        self._preprocess = preprocess

    def __call__(self, pixels: Pixels) -> Pixels:
        if pixels.std() == 0:
            os._exit(3)
        return self._preprocess(pixels)


async def test_a_picture_that_crashes_its_decoder_is_skipped_and_the_others_go_on(
    redis_url: str, tiny_model: Path, tiny_encoder: Encoder, tmp_path: Path
) -> None:
    settings = settings_for(redis_url, tiny_model, tmp_path, decoders=COUNT)
    fatal = Wrapped(tiny_encoder)
    fatal.preprocess = Fatal(tiny_encoder.preprocess)
    async with working(settings, load=lambda _: fatal) as stack:
        name = await stack.create()
        Image.new("RGB", (48, 40), "white").save(stack.folder / "white.png")
        white = File(source="white", path=str(stack.folder / "white.png"))
        files = [stack.file(f"{number}.png") for number in range(12)]
        result = await stack.ingest(name, [*files[:6], white, *files[6:]])
    assert (result.added, [row.source for row in result.skipped]) == (12, ["white"])
    assert "crashed" in result.skipped[0].reason


async def test_an_ingest_through_processes(redis_url: str, tiny_model: Path, tmp_path: Path) -> None:
    settings = settings_for(redis_url, tiny_model, tmp_path, decoders=COUNT)
    async with working(settings) as stack:
        name = await stack.create()
        files = [stack.file(f"{number}.png") for number in range(40)]
        (stack.folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
        broken = File(source="broken", path=str(stack.folder / "broken.jpg"))
        result = await stack.ingest(name, [*files, broken])
        assert result.added == 40
        assert [row.source for row in result.skipped] == ["broken"]
        again = await stack.ingest(name, files)
        assert (again.added, again.unchanged) == (0, 40)
