from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from shared.settings import Settings
from tests.workers.models import END_OF_TEXT, save_model
from workers.encoders import models
from workers.encoders.text_lean import LeanText, by_length
from workers.encoders.text_rows import shared_rows
from workers.encoders.text_truncation import TOLERANCE, TextTower, TruncatedText, may_truncate
from workers.encoders.towers import prove

SAFE: dict[str, dict[str, Any]] = {
    "argmax": {},
    "eos": {"text": {"pool_type": "eos", "eos_id": END_OF_TEXT}},
    "custom_argmax": {"custom_text": True},
    "custom_eos": {"custom_text": True, "text": {"pool_type": "eos", "eos_id": END_OF_TEXT, "proj_bias": True}},
    "quick_gelu": {"quick_gelu": True},
    "layer_scale": {"text": {"ls_init_value": 0.5}},
    "no_projection": {"embed_dim": 32, "custom_text": True, "text": {"proj_type": "none"}},
}
UNSAFE: dict[str, dict[str, Any]] = {
    "not_causal": {"text": {"no_causal_mask": True}},
    "last": {"text": {"pool_type": "last"}},
    "custom_not_causal": {"custom_text": True, "text": {"no_causal_mask": True}},
    "class_token": {"custom_text": True, "text": {"embed_cls": True}},
}


def made(folder: Path, changes: dict[str, Any]) -> tuple[Any, Any]:
    source = models.resolve(Settings(model=f"local-dir:{save_model(folder, **changes)}"))
    return models.create(source), models.tokenizer(source)


@pytest.fixture(scope="module", params=SAFE)
def safe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return made(tmp_path_factory.mktemp("safe"), SAFE[request.param])


def lean(model: Any, **options: bool) -> LeanText:
    return LeanText(model, device=torch.device("cpu"), dtype=torch.float32, **options)


def difference(model: Any, tower: TextTower, ids: torch.Tensor) -> float:
    """From the stock path: the largest of any component of unit vectors."""
    rows = functional.normalize(model.encode_text(ids), dim=-1) - functional.normalize(tower(ids), dim=-1)
    return float(rows.abs().max())


@pytest.fixture(scope="module")
def towers(safe: tuple[Any, Any]) -> list[TextTower]:
    model, _ = safe
    return [lean(model), lean(model, may_pack=False), TruncatedText(model)]


@settings(max_examples=30)
@given(texts=st.lists(st.text(max_size=60) | st.text(alphabet="ab ", max_size=12), min_size=1, max_size=8))
@torch.inference_mode()
def test_shortened_vectors_are_those_of_the_stock_path(
    safe: tuple[Any, Any], towers: list[TextTower], texts: list[str]
) -> None:
    model, tokenizer = safe
    ids = tokenizer(texts)
    assert max(difference(model, tower, ids) for tower in towers) <= TOLERANCE


@torch.inference_mode()
def test_a_batch_of_very_different_lengths_keeps_its_order(safe: tuple[Any, Any], towers: list[TextTower]) -> None:
    model, tokenizer = safe
    ids = tokenizer(["word " * 50, *(f"cat {number}" for number in range(12)), "a", "word " * 40])
    assert max(difference(model, tower, ids) for tower in towers) <= TOLERANCE


def test_a_batch_is_split_only_where_its_lengths_are_far_apart() -> None:
    assert [part.tolist() for part in by_length(np.array([4, 9, 7, 5]))] == [[0, 1, 2, 3]]
    short, long = by_length(np.array([76, 4, 5, 4, 6, 5, 4, 7]))
    assert sorted(short) == [1, 2, 3, 4, 5, 6, 7]
    assert list(long) == [0]


def test_every_beginning_is_one_row() -> None:
    texts = [[1, 5, 6, 9], [1, 5, 7, 9], [1, 5, 6, 9], [1, 9, 0, 0]]
    rows = shared_rows(np.array(texts), np.array([3, 3, 3, 1]))
    read = sorted(zip(rows.positions.tolist(), rows.tokens.tolist(), strict=True))
    assert read == [(0, 1), (1, 5), (1, 9), (2, 6), (2, 7), (3, 9), (3, 9)]
    assert rows.layout.ends[0] == rows.layout.ends[2]


def test_a_causal_tower_that_reads_the_end_of_text_is_proven_exact(safe: tuple[Any, Any]) -> None:
    assert prove(*safe, (32, 32)).texts == "lean"


@pytest.mark.parametrize("kind", UNSAFE)
def test_other_towers_keep_their_full_length(kind: str, tmp_path: Path) -> None:
    model, tokenizer = made(tmp_path, UNSAFE[kind])
    assert not may_truncate(model)
    assert prove(model, tokenizer, (32, 32)).texts == "none"


def test_a_tower_that_only_looks_causal_fails_the_proof(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, tokenizer = made(tmp_path, {})
    model.attn_mask.zero_()
    assert may_truncate(model)
    assert prove(model, tokenizer, (32, 32)).texts == "none"
    assert "changes the vectors" in caplog.text


def test_a_tower_of_unusual_blocks_is_truncated_all_the_same(tmp_path: Path) -> None:
    model, tokenizer = made(tmp_path, {"custom_text": True, "text": {"block_type": "custom"}})
    assert prove(model, tokenizer, (32, 32)).texts == "truncated"
