"""The push benchmark runs, and its last line has the figures that it promises; how large they are is not asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = {
    "connections": 30,
    "idle-s": 0.2,
    "watchers": 20,
    "events": 100,
    "people": 10,
    "think-s": 0.2,
    "seconds": 2,
    "stalled": 2,
}
FIGURES = {"connections", "kib_per_connection", "fanout_msgs_s", "push_p50_ms", "push_p99_ms", "stalled_mib"}


@pytest.mark.slow
def test_a_small_run_reports_every_figure() -> None:
    options = [part for name, value in SMALL.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", "bench.push", "--json", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report["clipline"]) >= FIGURES
    assert report["clipline"]["connections"] == report["websockets"]["connections"] == SMALL["connections"]
    assert {"machine", "commit"} <= set(report)
