"""An open_clip model written as Hugging Face's `CLIPModel` stores it: the same weights, for systems that read those."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from workers.encoders.torchvision_ops import open_clip

START, END = "<|startoftext|>", "<|endoftext|>"
MARKS = {"<start_of_text>": START, "<end_of_text>": END}  # as the two call the same tokens
BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
TEXT = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",  # spelt so there
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "logit_scale": "logit_scale",
}


def save(model: Any, name: str, folder: Path) -> None:
    """`model` is one of open_clip's plain `CLIP` with a vision transformer; `name` its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_weights(model), folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", _config(open_clip.get_model_config(name)))
    _write(folder / "preprocessor_config.json", _preprocessing(open_clip.get_model_preprocess_cfg(model)))
    _save_tokenizer(folder)


def _weights(model: Any) -> dict[str, torch.Tensor]:
    state = model.state_dict()
    weights = {theirs: state[ours] for theirs, ours in TEXT.items()}
    weights["text_projection.weight"] = state["text_projection"].t()
    weights["visual_projection.weight"] = state["visual.proj"].t()
    weights |= dict(_blocks(state, "transformer.resblocks", "text_model", len(model.transformer.resblocks)))
    layers = len(model.visual.transformer.resblocks)
    weights |= dict(_blocks(state, "visual.transformer.resblocks", "vision_model", layers))
    return {name: weight.detach().clone().contiguous() for name, weight in weights.items()}


def _blocks(state: dict[str, torch.Tensor], ours: str, tower: str, layers: int) -> Iterator[tuple[str, torch.Tensor]]:
    for layer in range(layers):
        to, source = f"{tower}.encoder.layers.{layer}", f"{ours}.{layer}"
        for kind in ("weight", "bias"):
            for mine, theirs in BLOCK.items():
                yield f"{to}.{theirs}.{kind}", state[f"{source}.{mine}.{kind}"]
            for letter, part in zip("qkv", state[f"{source}.attn.in_proj_{kind}"].chunk(3), strict=True):
                yield f"{to}.self_attn.{letter}_proj.{kind}", part


def _config(ours: dict[str, Any]) -> dict[str, Any]:
    text, vision, dim = ours["text_cfg"], ours["vision_cfg"], ours["embed_dim"]
    act = "quick_gelu" if ours.get("quick_gelu") else "gelu"
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": dim,
        "text_config": {
            "model_type": "clip_text_model",
            "hidden_size": text["width"],
            "intermediate_size": 4 * text["width"],
            "num_attention_heads": text["heads"],
            "num_hidden_layers": text["layers"],
            "max_position_embeddings": text["context_length"],
            "vocab_size": text["vocab_size"],
            "projection_dim": dim,
            "hidden_act": act,
            "bos_token_id": 49406,
            "eos_token_id": 49407,
        },
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": vision["width"],
            "intermediate_size": 4 * vision["width"],
            "num_attention_heads": vision["width"] // vision.get("head_width", 64),
            "num_hidden_layers": vision["layers"],
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
            "projection_dim": dim,
            "hidden_act": act,
        },
    }


def _preprocessing(ours: dict[str, Any]) -> dict[str, Any]:
    height, width = ours["size"]
    return {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": height},
        "crop_size": {"height": height, "width": width},
        "resample": 3,  # bicubic
        "image_mean": list(ours["mean"]),
        "image_std": list(ours["std"]),
    }


def _save_tokenizer(folder: Path) -> None:
    """The vocabulary and merges of open_clip's own tokenizer, which are those of the first CLIP."""
    known = open_clip.tokenizer.SimpleTokenizer().encoder
    vocabulary = {MARKS.get(word, word): number for word, number in known.items()}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    lines = gzip.decompress(Path(open_clip.tokenizer.default_bpe()).read_bytes()).decode().split("\n")
    # The first CLIP reads so many merges of a longer file: its vocabulary less 256 bytes twice and two marks.
    merges = lines[1 : len(vocabulary) - 512 - 2 + 1]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **marks})
    _write(folder / "special_tokens_map.json", marks)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
