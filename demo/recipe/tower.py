"""The demo model's shape, its text side at any length, and its files in open_clip's layout."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from demo.openclip import open_clip

DIM = 256
CONTEXT = 24  # tokens; pictogram searches are short, and cost grows with it
SIDE = 64  # pixels
ENCODED = 512  # texts at once where no gradient is kept
MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": DIM,
    "vision_cfg": {"layers": [1, 2, 2, 1], "width": 24, "head_width": 32, "image_size": SIDE},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 49408, "width": 160, "heads": 5, "layers": 3},
}
PREPROCESS = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def build() -> Any:
    """A CLIP of MODEL_CONFIG with fresh weights."""
    return open_clip().model.CLIP(**MODEL_CONFIG)


def tokenise(texts: list[str]) -> Tensor:
    """Token ids (n, CONTEXT), exactly as open_clip's tokenizer gives them."""
    tokens: Tensor = open_clip().tokenizer.SimpleTokenizer(context_length=CONTEXT)(texts)
    return tokens


def encode_text(model: Any, tokens: Tensor) -> Tensor:
    """What `model.encode_text` gives, (n, DIM), at the cost of the longest text instead of the whole context.

    The causal mask keeps padding after the end of text out of every result, so that cutting it off changes nothing.
    """
    ends = tokens.argmax(1)
    length = int(ends.max()) + 1
    hidden = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    hidden = model.ln_final(model.transformer(hidden, attn_mask=model.attn_mask[:length, :length]))
    chosen: Tensor = hidden[torch.arange(len(tokens), device=tokens.device), ends] @ model.text_projection
    return chosen


@torch.no_grad()
def encode_all(model: Any, tokens: Tensor) -> Tensor:
    """Unit vectors (n, DIM) of many texts, a batch at a time."""
    parts = [unit(encode_text(model, part)) for part in torch.split(tokens, ENCODED)]
    return torch.cat(parts)


def unit(vectors: Tensor) -> Tensor:
    """Rows of length one."""
    return nn.functional.normalize(vectors, dim=-1)


def export(model: nn.Module, folder: Path) -> None:
    """Weights in half precision and the config, as `local-dir:` loading wants them."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: _half(tensor) for name, tensor in model.state_dict().items()}
    weights = folder / "open_clip_model.safetensors"
    save_file(state, weights)
    weights.chmod(0o644)
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _half(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if tensor.is_floating_point() else tensor
