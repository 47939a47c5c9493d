"""Tiny open_clip models with random weights, saved as the folders that `local-dir:` loads."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from workers.encoders.torchvision_ops import open_clip

VISION = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
TEXT = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
# End-of-text in the vocabulary of open_clip's SimpleTokenizer.
END_OF_TEXT = 49407


def save_model(
    folder: Path,
    *,
    text: dict[str, Any] | None = None,
    preprocess: dict[str, Any] | None = None,
    seed: int = 0,
    **model: Any,
) -> Path:
    """Write a model's config and weights into `folder`; `text` and `model` change open_clip's own configuration."""
    config = {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": {**TEXT, **(text or {})}, **model}
    folder.mkdir(parents=True, exist_ok=True)
    described = {"model_cfg": config, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = open_clip.create_model(f"local-dir:{folder}")
    save_file(made.state_dict(), folder / "open_clip_model.safetensors")
    return folder
