from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from shared.settings import Settings
from tests.workers.models import VISION, save_model
from workers.encoders import models
from workers.encoders.pictures_lean import is_exact, lean_pictures, may_be_lean
from workers.encoders.text_truncation import TOLERANCE
from workers.encoders.towers import prove

KINDS: dict[str, dict[str, Any]] = {
    "class_token": {},
    "average": {"vision_cfg": {**VISION, "pool_type": "avg"}},
    "norm_after_pool": {"vision_cfg": {**VISION, "final_ln_after_pool": True}},
    "layer_scale": {"vision_cfg": {**VISION, "ls_init_value": 0.5}},
    "quick_gelu": {"quick_gelu": True},
    "attention_pool": {"vision_cfg": {**VISION, "attentional_pool": True, "attn_pooler_heads": 2}},
}


def created(folder: Path, changes: dict[str, Any]) -> Any:
    return models.create(models.resolve(Settings(model=f"local-dir:{save_model(folder, **changes)}")))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("may_pack", [True, False])
@torch.inference_mode()
def test_lean_vectors_are_those_of_the_stock_tower(kind: str, may_pack: bool, tmp_path: Path) -> None:
    model = created(tmp_path, KINDS[kind])
    assert may_be_lean(model)
    lean = lean_pictures(model, device=torch.device("cpu"), dtype=torch.float32, may_pack=may_pack)
    inputs = torch.randn(5, 3, 32, 32)
    difference = functional.normalize(lean(inputs)) - functional.normalize(model.encode_image(inputs))
    assert float(difference.abs().max()) <= TOLERANCE


def test_the_model_keeps_its_own_blocks(tmp_path: Path) -> None:
    model = created(tmp_path, {})
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    lean_pictures(model, device=torch.device("cpu"), dtype=torch.bfloat16)
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_other_blocks_keep_open_clips_path(tmp_path: Path) -> None:
    model = created(tmp_path, {"vision_cfg": {**VISION, "block_type": "custom", "qk_norm": True}})
    assert not may_be_lean(model)


def test_a_tower_that_differs_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = created(tmp_path, {})
    lean = lean_pictures(model, device=torch.device("cpu"), dtype=torch.float32)
    assert is_exact(lean, model, (32, 32))
    model.visual.proj.data.add_(torch.randn_like(model.visual.proj) * 0.01)
    assert not is_exact(lean, model, (32, 32))
    assert "open_clip's own path" in caplog.text


def test_convolutional_towers_keep_open_clips_path(tmp_path: Path) -> None:
    convolutional = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8, "patch_size": None}
    model = created(tmp_path, {"vision_cfg": convolutional})
    assert not may_be_lean(model)


def test_a_proof_covers_both_towers(tmp_path: Path) -> None:
    source = models.resolve(Settings(model=f"local-dir:{save_model(tmp_path)}"))
    proven = prove(models.create(source), models.tokenizer(source), (32, 32))
    assert (proven.texts, proven.pictures) == ("lean", "lean")
