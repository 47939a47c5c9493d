"""What `bench.encode` counts, and that the model it writes for others is the same one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bench import hf_format
from bench.encode_work import Work, picture_flops
from shared.settings import Settings
from tests.workers.models import TEXT, VISION, save_model
from workers.encoders import models
from workers.encoders.torchvision_ops import open_clip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    source = models.resolve(Settings(model=f"local-dir:{save_model(tmp_path_factory.mktemp('encode') / 'tiny')}"))
    return models.create(source), models.tokenizer(source)


def test_a_text_costs_by_its_own_length_and_less_beside_one_that_begins_alike(made: tuple[Any, Any]) -> None:
    work = Work(*made)
    assert work.tokens(["a cat"]) == 4
    assert work.own_flops(["a cat"]) == work.own_flops(["a cat"] * 8) == work.executed_flops(["a cat"], 8)
    assert work.executed_flops(["a cat", "a dog"], 2) < work.own_flops(["a cat", "a dog"])
    width, rows = 32, 4
    for_all, at_end = rows * (12 + 2) * width**2, 10 * width**2 + width * 16
    assert work.own_flops(["a cat"]) == 2 * (for_all + at_end)


def test_a_picture_costs_its_patches_blocks_and_projection(made: tuple[Any, Any]) -> None:
    width, rows = 32, 17
    blocks = rows * (12 + 2) * width**2 + 10 * width**2
    assert picture_flops(made[0]) == 2 * (16 * width * 3 * 8 * 8 + blocks + width * 16)


def test_a_model_written_for_others_has_every_weight_and_word(made: tuple[Any, Any], tmp_path: Path) -> None:
    (tmp_path / "tiny-for-hf.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": VISION, "text_cfg": TEXT}))
    open_clip.add_model_config(tmp_path)
    model, tokenizer = made
    hf_format.save(model, "tiny-for-hf", tmp_path / "hf")
    written = load_file(tmp_path / "hf" / "model.safetensors")
    assert sum(weight.numel() for weight in written.values()) == sum(one.numel() for one in model.parameters())
    torch.testing.assert_close(written["text_projection.weight"], model.text_projection.t())
    vocabulary = json.loads((tmp_path / "hf" / "vocab.json").read_text())
    assert vocabulary["<|endoftext|>"] == int(np.asarray(tokenizer([""])).max())
    merges = (tmp_path / "hf" / "merges.txt").read_text().splitlines()[1:]
    assert len(merges) == len(vocabulary) - 512 - 2
    assert all(merge.replace(" ", "") in vocabulary for merge in merges)
