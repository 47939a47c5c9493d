"""What of the CUDA graphs does not need CUDA: buckets, padding, and what happens where nothing can be captured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import Settings
from workers.encoders import models
from workers.encoders.text_graphs import LARGEST_BATCH, Bucket, GraphedText, MakeGraph, bucket_of, buckets, fill
from workers.encoders.text_lean import LeanText
from workers.encoders.text_rows import Ids

TEXTS = ["a", "a happy cat", "", "two red bicycles leaning against an old wall", "word " * 40]


@pytest.fixture(scope="module")
def made(tiny_model: Path) -> tuple[LeanText, Any]:
    source = models.resolve(Settings(model=f"local-dir:{tiny_model}"))
    tower = LeanText(models.create(source), device=torch.device("cpu"), dtype=torch.float32)
    return tower, models.tokenizer(source)


@given(texts=st.integers(1, LARGEST_BATCH), length=st.integers(1, 77))
def test_a_bucket_is_the_smallest_that_holds_the_batch(texts: int, length: int) -> None:
    found = bucket_of(texts, length, context=77)
    assert found in buckets(77)
    assert found.texts >= texts > found.texts // 2
    assert found.length >= length
    assert not any(length <= other.length < found.length for other in buckets(77))


def test_what_fills_a_bucket_up_is_the_start_of_a_text() -> None:
    ids, ends = fill(np.array([[7, 5, 9, 0], [7, 9, 0, 0]]), np.array([2, 1]), Bucket(4, 8))
    assert ids.tolist() == [[7, 5, 9, 0, 0, 0, 0, 0], [7, 9, 0, 0, 0, 0, 0, 0], *([[7, 0, 0, 0, 0, 0, 0, 0]] * 2)]
    assert ends.tolist() == [2, 1, 0, 0]


def eagerly(tower: LeanText, seen: list[Bucket]) -> MakeGraph:
    """Runs the very function that a graph captures."""

    def capture(bucket: Bucket) -> Any:
        seen.append(bucket)
        return lambda ids, ends: tower.padded(torch.from_numpy(ids), torch.from_numpy(ends))

    return capture


@torch.inference_mode()
def test_padded_to_its_bucket_a_batch_keeps_its_vectors(made: tuple[LeanText, Any]) -> None:
    tower, tokenizer = made
    seen: list[Bucket] = []
    graphed = GraphedText(tower, capture=eagerly(tower, seen))
    for count in range(1, len(TEXTS) + 1):
        ids = tokenizer(TEXTS[:count])
        torch.testing.assert_close(graphed(ids), tower(ids), atol=1e-5, rtol=0)
        torch.testing.assert_close(graphed(ids), tower(ids), atol=1e-5, rtol=0)
    assert len(seen) == len(set(seen)), "each bucket is captured once"


@torch.inference_mode()
def test_graphs_may_be_made_before_their_buckets_come_the_largest_first(made: tuple[LeanText, Any]) -> None:
    tower, tokenizer = made
    seen: list[Bucket] = []
    graphed = GraphedText(tower, capture=eagerly(tower, seen))
    graphed.prepare([Bucket(1, 8), Bucket(4, 16), Bucket(4, 8), Bucket(1, 8)])
    assert seen == [Bucket(4, 16), Bucket(4, 8), Bucket(1, 8)]
    graphed(tokenizer(["a cat"]))
    assert len(seen) == 3


@torch.inference_mode()
def test_more_texts_than_the_largest_graph_takes_run_in_parts(made: tuple[LeanText, Any]) -> None:
    tower, tokenizer = made
    ids = tokenizer(["a cat"] * LARGEST_BATCH + ["a dog", "a bird"])
    graphed = GraphedText(tower, capture=eagerly(tower, []))
    torch.testing.assert_close(graphed(ids), tower(ids), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_what_cannot_be_captured_runs_eagerly(made: tuple[LeanText, Any], caplog: pytest.LogCaptureFixture) -> None:
    tower, tokenizer = made

    def fails(bucket: Bucket) -> Any:
        raise RuntimeError(f"no memory for {bucket}")

    ids = tokenizer(TEXTS)
    graphed = GraphedText(tower, capture=fails)
    torch.testing.assert_close(graphed(ids), tower(ids))
    assert "no CUDA graph" in caplog.text


def test_ids_are_cut_to_the_bucket() -> None:
    ids: Ids = np.arange(48).reshape(2, 24)
    assert fill(ids, np.array([3, 7]), Bucket(2, 8))[0].tolist() == ids[:, :8].tolist()
