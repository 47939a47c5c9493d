import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.running import RunningStack, alive, clipline, family, ready, until, up

pytestmark = pytest.mark.slow

RESTART_S = 60.0


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
