import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import RunningStack, alive, clipline, family, ready, until, up

pytestmark = pytest.mark.slow

RESTART_S = 60.0
FROZEN_LOOKS = 100


def test_whatever_child_is_killed_comes_back_and_the_data_with_it(tmp_path: Path, tiny: dict[str, str]) -> None:
    with up(tmp_path / "data", environ=tiny) as stack:
        assert clipline("collections", "create", "kept", url=stack.url).returncode == 0
        for name in ("redis", "worker", "api"):
            before = stack.pids[name]
            os.kill(before, signal.SIGKILL)
            until(partial(replaced, stack, name, before), RESTART_S, stack.output)
            until(partial(ready, stack.url), RESTART_S, stack.output)
        assert "kept" in clipline("collections", url=stack.url).stdout
        assert "was killed by SIGKILL" in stack.output()


def test_a_search_whose_worker_is_killed_is_answered_by_the_next_one(tmp_path: Path, tiny: dict[str, str]) -> None:
    # Nobody can have waited for the lease.
    with up(tmp_path / "data", environ={**tiny, "CLIPLINE_LEASE_S": "3600"}) as stack:
        assert clipline("collections", "create", "kept", url=stack.url).returncode == 0
        parent = stack.pids["worker"]
        with httpx.Client(base_url=stack.url, trust_env=False, timeout=RESTART_S) as http:
            job = caught(http)
            asked = f"/v1/jobs/{job['id']}"
            until(lambda: http.get(asked).json()["state"] == "succeeded", RESTART_S, stack.output)
            done = http.get(asked).json()
        assert (done["attempts"], [attempt["worker"] for attempt in done["history"]]) == (2, [job["worker"]])
        assert done["worker"] != job["worker"]
        assert stack.pids["worker"] == parent, "the program was not started again"
        assert stack.stop() == 0


def caught(http: httpx.Client) -> dict[str, Any]:
    """A search that its worker had when it was killed."""
    until(lambda: bool(http.get("/v1/workers").json()["workers"]), RESTART_S)
    [worker] = http.get("/v1/workers").json()["workers"]
    while (job := frozen_with_a_search(http, worker["pid"])) is None:
        os.kill(worker["pid"], signal.SIGCONT)
    os.kill(worker["pid"], signal.SIGKILL)
    return job


def frozen_with_a_search(http: httpx.Client, worker: int) -> dict[str, Any] | None:
    """Redis gives a worker what it has asked for, also when it is stopped by then; None where it had not asked."""
    os.kill(worker, signal.SIGSTOP)
    asked = {"collection": "kept", "query": {"text": "a cat"}, "limit": 1}
    sent = http.post("/v1/search", json=asked).json()
    for _ in range(FROZEN_LOOKS):
        job: dict[str, Any] = http.get(f"/v1/jobs/{sent['id']}").json()
        if job["state"] == "running":
            return job
    return None


def test_ctrl_c_leaves_no_process_and_the_next_start_finds_the_data(tmp_path: Path, tiny: dict[str, str]) -> None:
    data = tmp_path / "data"
    with up(data, environ=tiny) as stack:
        assert clipline("collections", "create", "kept", url=stack.url).returncode == 0
        assert stack.stop(signal.SIGINT) == 0
        assert family(data) == set()
    with up(data, environ=tiny) as stack:
        assert "kept" in clipline("collections", url=stack.url).stdout


def test_a_killed_supervisor_takes_everything_with_it(tmp_path: Path, tiny: dict[str, str]) -> None:
    data = tmp_path / "data"
    with up(data, environ=tiny) as stack:
        assert len(family(data)) >= 4, "supervisor, Redis, worker, store, API"
        stack.process.kill()
        stack.process.wait()
        until(lambda: family(data) == set(), RESTART_S, lambda: family(data))
    with up(data, environ=tiny) as stack:
        assert ready(stack.url), "a killed stack leaves nothing to clean up by hand"


def test_two_stacks_run_side_by_side_but_not_on_one_folder(tmp_path: Path, tiny: dict[str, str]) -> None:
    with up(tmp_path / "one", environ=tiny) as one, up(tmp_path / "two", environ=tiny) as two:
        assert one.url != two.url
        assert clipline("collections", "create", "only-here", url=one.url).returncode == 0
        assert "only-here" not in clipline("collections", url=two.url).stdout
        refused = clipline("up", "--data", str(tmp_path / "one"), environ=tiny)
        assert refused.returncode == 1
        assert one.url in refused.stderr
        taken = one.url.rpartition(":")[2]
        busy = clipline("up", "--data", str(tmp_path / "three"), "--port", taken, environ=tiny)
        assert (busy.returncode, "busy" in busy.stderr) == (1, True)
        assert not family(tmp_path / "three")
        assert all(alive(pid) for pid in one.pids.values())


def test_a_model_that_is_not_there_ends_the_start_with_its_name(tmp_path: Path) -> None:
    environ = {"CLIPLINE_MODEL": f"local-dir:{tmp_path / 'nowhere'}"}
    ended = clipline("up", "--data", str(tmp_path / "data"), "--port", "0", environ=environ)
    assert ended.returncode == 2
    assert "CLIPLINE_MODEL" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not family(tmp_path / "data")


def test_a_long_folder_name_is_no_obstacle_to_the_socket(tmp_path: Path, tiny: dict[str, str]) -> None:
    data = tmp_path / ("long" * 30) / "data with a space"
    with up(data, environ=tiny) as stack:
        assert ready(stack.url)


def test_the_packages_of_the_caller_s_folder_are_not_taken_for_ours(tmp_path: Path, tiny: dict[str, str]) -> None:
    for name in ("api", "workers", "shared", "redis"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    command = [str(Path(sys.executable).with_name("clipline")), "up", "--data", "data", "--port", "0"]
    environ = {**os.environ, **tiny}
    log = (tmp_path / "out").open("w+")
    with log, subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=log, stderr=subprocess.STDOUT) as process:
        until(lambda: "Ctrl-C" in (tmp_path / "out").read_text() or process.poll() is not None, RESTART_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(RESTART_S) == 0, (tmp_path / "out").read_text()


def replaced(stack: RunningStack, name: str, pid: int) -> bool:
    return stack.pids.get(name, pid) != pid
