"""A model in several processes gives the vectors of one in this process, and its processes end with it. All real."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import msgspec
import pytest

from shared.settings import Settings
from tests.e2e.running import alive
from workers.device_trouble import trouble
from workers.encoders.replica_process import sendable
from workers.encoders.replicas import ReplicaDied, replicated

ROOT = Path(__file__).parents[3]
WITHIN_S = 120.0


def command(program: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.workers.encoders.replicating", program, str(folder)]


def found(program: str, folder: Path) -> Any:
    told = subprocess.run(command(program, folder), capture_output=True, text=True, cwd=ROOT, timeout=WITHIN_S)
    assert told.returncode == 0, told.stderr
    return msgspec.json.decode(told.stdout.splitlines()[-1])


def test_batches_of_every_size_have_the_vectors_of_one_process(tiny_model: Path) -> None:
    both = found("same_vectors", tiny_model)
    assert (both["info"], both["cut"], both["preprocess"]) == (True, True, True)
    assert max(both["texts"], both["images"]) < 1e-5


def test_each_has_batches_of_its_own_and_later_they_share_one_again(tiny_model: Path) -> None:
    told = found("each_by_itself", tiny_model)
    assert told["texts"] < 1e-5
    assert told["together"]
    assert told["working"] >= 2


def test_each_computes_with_as_many_threads_as_it_is_told(tiny_model: Path) -> None:
    told = found("with_several_threads", tiny_model)
    assert told["replicas"] == 3
    assert told["differ"] < 1e-3


def test_what_a_replica_raises_is_raised_here_and_it_goes_on(tiny_model: Path) -> None:
    told = ["IndexError", "IndexError", "ValueError"]
    assert found("an_error_is_its_callers", tiny_model) == {"told": told, "goes on": True, "died": False}


class Made(Exception):
    """Of two parts, and so not made again of its text."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


class Holding(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def test_an_error_that_cannot_be_sent_is_told_of_in_words() -> None:
    error = ValueError("as it is")
    assert sendable(error) is error
    assert str(sendable(Made("one", "other"))) == "Made: one and other"
    assert str(sendable(Holding())) == "Holding: holds a lock"


@pytest.mark.parametrize("program", ["one_is_killed", "killed_while_it_loads", "killed_under_a_batcher"])
def test_one_that_is_killed_is_told_of(tiny_model: Path, program: str) -> None:
    assert found(program, tiny_model) == {"died": True}


def test_that_is_a_device_which_does_not_work_any_more() -> None:
    assert trouble(ReplicaDied("gone")) == "device"


def test_a_model_that_cannot_be_had_is_a_setting_that_cannot_work(tiny_model: Path) -> None:
    assert "CLIPLINE_MODEL" in found("no_such_model", tiny_model)["told"]


def test_every_model_has_its_own_of_lower_priority_and_none_is_left(tiny_model: Path) -> None:
    told = found("two_models", tiny_model)
    assert told == {"killed": 0, "processes": 4, "nice": True, "same": True, "left": []}


def test_a_model_for_another_device_is_loaded_by_the_worker_itself(tiny_model: Path) -> None:
    assert found("on_another_device", tiny_model) == {"kind": "OpenClipEncoder", "rows": 1, "died": False}


def test_one_that_is_stuck_is_killed(tiny_model: Path) -> None:
    assert found("stuck", tiny_model) == {"left": []}


def test_they_end_with_a_worker_that_is_killed(tiny_model: Path) -> None:
    with subprocess.Popen(command("waits", tiny_model), stdout=subprocess.PIPE, text=True, cwd=ROOT) as worker:
        assert worker.stdout is not None
        replicas: list[int] = msgspec.json.decode(worker.stdout.readline())
        assert [alive(pid) for pid in replicas] == [True, True]
        os.kill(worker.pid, signal.SIGKILL)
    ends = monotonic() + WITHIN_S
    while any(map(alive, replicas)):
        assert monotonic() < ends
        sleep(0.05)


@pytest.mark.parametrize("given", [{"threads": 1}, {"threads": 2, "compile": True}, {"threads": 2, "device": "cuda"}])
def test_one_thread_another_device_and_a_compiled_model_stay_in_their_worker(given: dict[str, Any]) -> None:
    with replicated(Settings(**given)) as replicas:
        assert replicas is None
