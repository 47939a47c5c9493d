from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from shared.settings import Settings
from tests.workers.models import END_OF_TEXT, save_model
from workers.encoders import models
from workers.encoders.text_truncation import TOLERANCE, TruncatedText, may_truncate, truncation_is_exact

SAFE: dict[str, dict[str, Any]] = {
    "argmax": {},
    "eos": {"text": {"pool_type": "eos", "eos_id": END_OF_TEXT}},
    "custom_argmax": {"custom_text": True},
    "custom_eos": {"custom_text": True, "text": {"pool_type": "eos", "eos_id": END_OF_TEXT, "proj_bias": True}},
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


@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=5))
@torch.inference_mode()
def test_truncated_vectors_are_those_of_the_stock_path(safe: tuple[Any, Any], texts: list[str]) -> None:
    model, tokenizer = safe
    ids = tokenizer(texts)
    stock = functional.normalize(model.encode_text(ids), dim=-1)
    truncated = functional.normalize(TruncatedText(model)(ids), dim=-1)
    assert float((stock - truncated).abs().max()) <= TOLERANCE


def test_a_causal_tower_that_reads_the_end_of_text_is_proven_exact(safe: tuple[Any, Any]) -> None:
    assert truncation_is_exact(*safe)


@pytest.mark.parametrize("kind", UNSAFE)
def test_other_towers_keep_their_full_length(kind: str, tmp_path: Path) -> None:
    model, tokenizer = made(tmp_path, UNSAFE[kind])
    assert not may_truncate(model)
    assert not truncation_is_exact(model, tokenizer)


def test_a_tower_that_only_looks_causal_fails_the_proof(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, tokenizer = made(tmp_path, {})
    model.attn_mask.zero_()
    assert may_truncate(model)
    assert not truncation_is_exact(model, tokenizer)
    assert "changes vectors" in caplog.text
