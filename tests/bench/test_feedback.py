"""The feedback benchmark runs, and its last line has every strategy's figures; which one is better is not asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USERS = 4
FIGURES = {f"{words}_{name}" for words in ("tag", "kind") for name in ("rounds", "found_share", "gain_rounds")}


@pytest.mark.slow
def test_a_small_run_reports_every_figure() -> None:
    command = [sys.executable, "-m", "bench.feedback", "--json", "--users", str(USERS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report) == {"text", "rocchio", "recommend", "classifier", "machine", "commit"}
    for strategy in ("text", "rocchio", "recommend", "classifier"):
        figures = report[strategy]
        assert set(figures) >= FIGURES
        assert 1 <= figures["tag_rounds"] <= 11
        assert figures["tag_found_share"] in {one / USERS for one in range(USERS + 1)}
    assert report["text"]["tag_gain_rounds"] == 0
