"""The benchmark of sequences runs, and its last line has the figures of every way; few videos hide nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAYS = {"one_text", "two_texts", "client_join", "clipline"}


@pytest.mark.slow
def test_a_small_run_reports_every_figure() -> None:
    small = ["--videos", "12", "--users", "4", "--rounds", "1"]
    command = [sys.executable, "-m", "bench.temporal", "--json", *small]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report) == {*WAYS, "machine", "commit"}
    for way in WAYS:
        assert set(report[way]) >= {"first_share", "page_share", "mrr", "p50_ms", "p95_ms"}
        assert report[way]["page_share"] == 1
    assert 0 <= report["clipline"]["pair_share"] <= 1
    assert "pair_share" not in report["one_text"]
