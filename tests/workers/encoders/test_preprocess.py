from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from workers.encoders.preprocess import from_config
from workers.encoders.protocol import Pixels
from workers.encoders.torchvision_ops import open_clip

CONFIGS: list[dict[str, Any]] = [
    {"size": 32},
    {"size": (32, 48)},
    {"size": (48, 32), "interpolation": "bilinear"},
    {"size": 32, "interpolation": "bilinear"},
    {"size": 32, "resize_mode": "squash"},
    {"size": (24, 40), "resize_mode": "squash", "interpolation": "bilinear"},
    {"size": 33, "resize_mode": "longest", "fill_color": 127},
    {"size": (32, 48), "resize_mode": "longest"},
]


def stock(pixels: Pixels, config: dict[str, Any]) -> Pixels:
    """open_clip's own Pillow preprocessing, before its normalisation."""
    given_names = {name: value for name, value in config.items() if name != "size"}
    transform = open_clip.image_transform(config["size"], is_train=False, mean=0.0, std=1.0, **given_names)
    # A mean of zero counts as none given, so the statistics are undone here.
    mean, std = np.array(open_clip.OPENAI_DATASET_MEAN), np.array((1.0, 1.0, 1.0))
    inputs = transform(Image.fromarray(pixels)).permute(1, 2, 0).numpy()
    undone: Pixels = ((inputs * std + mean) * 255).round().astype(np.uint8)
    return undone


def picture(height: int, width: int, seed: int) -> Pixels:
    """Blurred noise: like a photograph it has edges and colours, but no two-coloured dust."""
    dots = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(dots).resize((width, height), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@settings(max_examples=40)
@given(height=st.integers(8, 160), width=st.integers(8, 160), seed=st.integers(0, 2**32 - 1))
def test_pixels_are_open_clips_own_but_for_rounding(config: dict[str, Any], height: int, width: int, seed: int) -> None:
    pixels = picture(height, width, seed)
    ours = from_config({**config, "mean": 0.5, "std": 0.5})(pixels)
    difference = np.abs(ours.astype(int) - stock(pixels, config).astype(int))
    assert difference.max() <= 2
    assert (difference > 1).mean() <= 0.01


def test_a_long_strip_costs_no_more_than_its_middle() -> None:
    preprocess = from_config({"size": 224, "mean": 0.5, "std": 0.5})
    strip = np.zeros((1, 1_000_000, 3), np.uint8)
    strip[:, 500_000 - 8 : 500_000 + 8] = 255
    assert preprocess(strip).min() == 255
    assert preprocess(strip.transpose(1, 0, 2)).min() == 255


def test_read_only_pixels_are_taken() -> None:
    pixels = np.zeros((40, 50, 3), np.uint8)
    pixels.flags.writeable = False
    assert from_config({"size": 32, "mean": (0.5,) * 3, "std": [0.5] * 3})(pixels).shape == (32, 32, 3)
