"""The benchmark of preparing pictures runs, and its last line has every figure of what this machine has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.preparing import SIZES

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_small_run_reports_every_figure() -> None:
    command = [sys.executable, "-m", "bench.preparing", "--json", "--rounds", "1", "--hundreds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    systems = {"clipline", "clipline_gpu"} if torch.cuda.is_available() else {"clipline"}
    assert set(report) == systems | {"machine", "commit"}
    for system in systems:
        assert {f"{size}_{name}" for size in SIZES for name in ("s", "cpu_ms", "lag_p99_ms")} == set(report[system])
        assert min(report[system][f"{size}_s"] for size in SIZES) > 0
