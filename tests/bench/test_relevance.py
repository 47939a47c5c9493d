"""What `bench.relevance` compares: rankings whose right cut is known, and that no query chooses its own parameter."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.relevance import WAYS, best_of, f1_with, held_out, tried, weights_of
from bench.relevance_data import Ranking, rescaled

ROOT = Path(__file__).parents[2]
FIGURES = {
    "precision", "recall", "f1", "gain_error", "marked_f1", "similar_f1", "rescaled_f1", "topics_f1", "parameter"
}  # fmt: skip


def ranking(right: int, *, level: float = 0.0, family: str = "tag") -> Ranking:
    """Half a hundred items around 0.1, of which the first `right` stand out."""
    draw = np.random.default_rng(right)
    others = np.sort(draw.normal(0.1, 0.02, 50))[::-1]
    best = np.linspace(0.52, 0.5, right)
    scores = (np.concatenate([best, others]) + level).astype(np.float32)
    counts = np.minimum(np.arange(len(scores) + 1), right)
    return Ranking(family, scores, counts, right, (others + level).astype(np.float32))


def test_what_stands_out_is_found_whatever_the_level_by_the_ways_that_adapt() -> None:
    rankings = [ranking(right, level=level) for right, level in [(3, 0.0), (8, 0.1), (20, 0.2)]]
    for way in ("gap", "clipline", "z_share"):
        parameter = best_of(way, tried(way, rankings), weights_of(rankings))
        assert f1_with(way, rankings, parameter) == pytest.approx(1.0)


def test_another_scale_moves_our_line_along_and_no_flat_score() -> None:
    known = [ranking(right) for right in (3, 5, 8)]
    there = [rescaled(one) for one in known]
    told = {way: f1_with(way, there, best_of(way, tried(way, known), weights_of(known))) for way in WAYS}
    assert told["clipline"] == pytest.approx(1.0)
    assert told["score"] < 1.0


def test_the_parameter_of_a_fold_comes_from_the_others() -> None:
    """Three rankings want three hits; the one that wants nine is alone in its fold, and gets three."""
    rankings = [ranking(3), ranking(3), ranking(3), ranking(9)]
    cut = held_out("count", rankings, tried("count", rankings), np.array([0, 1, 2, 3]))
    assert cut[3] == 3


def test_families_weigh_alike() -> None:
    rankings = [ranking(3), ranking(3), ranking(3), ranking(3, family="kind"), ranking(3, family="similar")]
    assert weights_of(rankings).tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2, 0])


@pytest.mark.slow
def test_a_small_run_reports_every_figure() -> None:
    command = [sys.executable, "-m", "bench.relevance", "--json", "--tags", "40", "--similar", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report) == {*WAYS, "oracle", "machine", "commit"}
    for way in WAYS:
        assert set(report[way]) == FIGURES
        assert report[way]["f1"] <= report["oracle"]["f1"]
