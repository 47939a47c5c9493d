import asyncio
import os
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.workers.fleet import eventually
from workers.executors import COMPUTING_NICENESS, BoundedExecutor, _quota_cpus, cpus_granted, decoding_executor
from workers.quarantine import Quarantine

pytestmark = pytest.mark.anyio


def processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("forkserver"))


def die_unless(marker: str) -> str:
    """Kill the process once: the next attempt finds the marker."""
    path = Path(marker)
    if not path.exists():
        path.touch()
        os._exit(1)
    return "done"


async def test_work_runs_elsewhere_and_answers_or_raises() -> None:
    executor = decoding_executor(2)
    assert await executor.run(threading.get_ident) != threading.get_ident()
    assert await executor.run(int, "ff", base=16) == 255
    with pytest.raises(ValueError, match="invalid literal"):
        await executor.run(int, "x")
    executor.close()


async def test_threads_that_decode_step_back_and_no_others_do() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    executor = decoding_executor(2)
    assert await executor.run(os.nice, 0) == min(19, before + COMPUTING_NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
    executor.close()


async def test_no_more_runs_than_allowed_even_when_callers_give_up() -> None:
    executor = BoundedExecutor(lambda: ThreadPoolExecutor(4), in_flight=2)
    started, release = [], threading.Event()

    def work(number: int) -> None:
        started.append(number)
        assert release.wait(30)

    tasks = [asyncio.create_task(executor.run(work, number)) for number in range(4)]
    await eventually(lambda: len(started) == 2)
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    assert started == [0, 1]
    release.set()
    await asyncio.gather(*tasks[1:])
    assert sorted(started) == [0, 1, 2, 3]
    executor.close()


async def test_a_broken_executor_is_replaced_and_the_work_tried_again(tmp_path: Path) -> None:
    executor = BoundedExecutor(processes, in_flight=2)
    assert await executor.run(die_unless, str(tmp_path / "tried")) == "done"
    executor.close()


async def test_work_that_breaks_its_executor_twice_fails_and_leaves_a_working_one(tmp_path: Path) -> None:
    executor = BoundedExecutor(processes, in_flight=2)
    with pytest.raises(BrokenExecutor):
        await executor.run(os._exit, 1)
    assert await executor.run(int, "7") == 7
    executor.close()


def test_a_containers_quota_is_rounded_up_to_whole_cpus(tmp_path: Path) -> None:
    cpu_max = tmp_path / "cpu.max"
    for text, cpus in (("150000 100000\n", 2), ("50000 100000\n", 1), ("max 100000\n", 2**31)):
        cpu_max.write_text(text)
        assert _quota_cpus(cpu_max) == cpus
    assert _quota_cpus(tmp_path / "missing") == 2**31
    assert 1 <= cpus_granted() <= len(os.sched_getaffinity(0))


async def test_a_suspect_whose_caller_gives_up_still_runs_alone() -> None:
    quarantine = Quarantine(lambda: ThreadPoolExecutor(2))
    started, release, running = [], threading.Event(), []

    def work(number: int) -> int:
        started.append(number)
        running.append(number)
        most = len(running)
        assert release.wait(30)
        running.remove(number)
        return most

    tasks = [asyncio.create_task(quarantine.run(partial(work, number))) for number in range(3)]
    await eventually(lambda: started == [0])
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    release.set()
    assert await asyncio.gather(*tasks[1:]) == [1, 1]
    assert started == [0, 1, 2]
