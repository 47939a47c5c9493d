import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.pictures import mixed
from tests.e2e.running import RunningStack, clipline, ready, until, up
from tests.workers.models import save_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BROKEN, OTHER = 60, 40
FIRST_RUN_S = 240.0


@pytest.mark.parametrize(("victim", "good"), [("worker", 1_900), ("api", 900), ("redis", 900)])
def test_what_is_killed_in_the_middle_of_an_ingest_costs_nothing_but_time(
    tmp_path: Path, victim: str, good: int
) -> None:
    folder = mixed(tmp_path / "pictures", good=good, broken=BROKEN, other=OTHER)
    model = {"CLIPLINE_MODEL": f"local-dir:{save_model(tmp_path / 'tiny')}", "CLIPLINE_PRETRAINED": ""}
    with up(tmp_path / "data", environ=model) as stack:
        first = run_and_kill(stack, folder, victim)
        assert first["added"] + first["unchanged"] == good, "a repeated batch finds what its first attempt stored"
        until(lambda: ready(stack.url), FIRST_RUN_S, stack.output)
        assert clipline("search", "anything", "-c", "photos", url=stack.url).returncode == 0
        done = clipline("ingest", str(folder), "-c", "photos", "--json", url=stack.url)
        second = json.loads(done.stdout)
        assert (done.returncode, second["added"], second["unchanged"]) == (0, 0, good)
        assert (len(second["skipped"]), len(second["failed"])) == (BROKEN + OTHER, 0)
        shown = json.loads(clipline("collections", "show", "photos", url=stack.url).stdout)
        assert shown["count"] == good


def run_and_kill(stack: RunningStack, folder: Path, victim: str) -> dict[str, int]:
    """Ingest; the victim is killed once some pictures are there."""
    command = [sys.executable, "-m", "cli.main", "ingest", str(folder), "-c", "photos", "--json", "--url", stack.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        until(lambda: stored(stack) > 0 or process.poll() is not None, FIRST_RUN_S, stack.output)
        assert process.poll() is None, "all was done before anything could be killed"
        os.kill(stack.pids[victim], signal.SIGKILL)
        output, _ = process.communicate(timeout=FIRST_RUN_S)
    assert process.returncode == 0
    until(lambda: f"{victim} was killed by SIGKILL" in stack.output(), FIRST_RUN_S, stack.output)
    report: dict[str, int] = json.loads(output)
    return report


def stored(stack: RunningStack) -> int:
    listed = json.loads(clipline("collections", "--json", url=stack.url).stdout)["collections"]
    return sum(int(one["count"]) for one in listed)
