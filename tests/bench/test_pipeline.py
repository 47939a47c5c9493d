"""The pipeline benchmark runs against a device that is simulated; how busy that was is not asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.encoder_limit import MODEL
from bench.paced import PACE, load
from shared.settings import from_env

ROOT = Path(__file__).parents[2]
FIGURES = {"searches_s", "p95_ms", "device_busy", "batch_texts", "share_of_limit", "share_of_half", "worker_lag_p99_ms"}


def test_a_paced_encoder_finds_texts_with_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PACE, "20,5")
    encoder = load(from_env({**os.environ, **MODEL}))
    tokens = [encoder.tokenize(text)[0] for text in ("a red car", "a red bus", "two dogs")]
    vectors = encoder.encode_texts(tokens)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert encoder.encode_images([encoder.preprocess(np.zeros((5, 7, 3), dtype=np.uint8))]).shape == (1, 512)


@pytest.mark.slow
def test_a_small_run_reports_every_figure() -> None:
    command = [sys.executable, "-m", "bench.pipeline", "--json", "--rounds", "1", "--seconds", "1", "--users", "4"]
    done = subprocess.run(
        [*command, "--pace", "2,1", "--points", "1000"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report["clipline"]) >= FIGURES
    assert 0 < report["clipline"]["device_busy"] <= 1
    assert report["limit"]["searches_s"] > 0
