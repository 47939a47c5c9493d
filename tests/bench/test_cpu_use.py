"""CPU time is found in the process that used it, and in those below it."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench import cpu_use

SPIN = "import sys, time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\nsys.stdin.read()"


@pytest.fixture
def spun() -> "Iterator[subprocess.Popen[str]]":
    """A shell, and below it a process that used 0.3 s of CPU and is called like an API."""
    command = f'"{sys.executable}" -c "{SPIN}" -m api; true'
    process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    yield process
    process.communicate()


def test_time_counts_for_the_part_that_a_process_below_is(spun: "subprocess.Popen[str]") -> None:
    used = cpu_use.read(spun.pid)
    assert used["api"] >= 290
    assert set(used) <= {"api", "other"}


def test_a_process_that_is_gone_has_used_nothing() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert cpu_use.read(process.pid) == {}


def test_figures_are_the_difference_for_each_search() -> None:
    assert cpu_use.per_search({"api": 10.0}, {"api": 40.0, "store": 6.0}, 3) == {
        "cpu_ms_api": 10.0,
        "cpu_ms_store": 2.0,
    }


def test_this_process_is_found() -> None:
    assert sum(cpu_use.read(os.getpid()).values()) > 0
