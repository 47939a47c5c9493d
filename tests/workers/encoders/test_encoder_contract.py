from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.settings import Settings
from tests.workers.models import END_OF_TEXT, save_model
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder, Matrix, Pixels

TEXTS = ("a", "a happy cat", "", "two red bicycles leaning against an old wall", "word " * 100)
KINDS: dict[str, dict[str, Any]] = {
    "clip": {},
    "clip_reading_eos": {"text": {"pool_type": "eos", "eos_id": END_OF_TEXT}},
    "clip_without_causal_mask": {"text": {"no_causal_mask": True, "pool_type": "last"}},
    "custom_text": {"custom_text": True},
    "custom_text_like_siglip": {
        "custom_text": True,
        "text": {"no_causal_mask": True, "pool_type": "last", "proj_bias": True},
        "preprocess": {"mean": 0.5, "std": 0.5, "resize_mode": "squash", "interpolation": "bilinear"},
    },
    "custom_quick_gelu_with_layer_scale": {"custom_text": True, "quick_gelu": True, "text": {"ls_init_value": 0.3}},
    "like_coca": {"custom_text": True, "text": {"embed_cls": True}},
    "wide_pictures": {
        "vision_cfg": {"image_size": [32, 48], "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    },
}


@pytest.fixture(scope="module", params=KINDS)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = save_model(tmp_path_factory.mktemp("kinds") / request.param, **KINDS[request.param])
    return load_encoder(Settings(model=f"local-dir:{folder}", device="cpu", precision="fp32"))


def embed(encoder: Encoder, *texts: str) -> Matrix:
    return encoder.encode_texts([encoder.tokenize(text)[0] for text in texts])


STRANGE = {
    "nothing": "",
    "spaces": " \t\n ",
    "control characters": "a\x00cat\x07 \x1b[31mred\x1b[0m\u202e\ufeff",
    "10,000 characters": "a very long description of a cat " * 304,
    "one long word": "x" * 10_000,
    "Greek": "μια χαρούμενη γάτα",
    "Russian": "счастливая кошка",
    "Arabic": "قطة سعيدة",
    "Hebrew": "חתול שמח",
    "Hindi": "खुश बिल्ली",
    "Thai": "แมวมีความสุข",
    "Chinese": "快乐的猫",
    "Japanese": "幸せな猫",
    "Korean": "행복한 고양이",
    "Georgian": "ბედნიერი კატა",
    "emoji": "🐈‍⬛ 👩🏽‍🚀 🏳️‍🌈",
    "combining": "e\u0301" * 200,
}


def pictures(encoder: Encoder, count: int) -> list[Pixels]:
    drawn = np.random.default_rng(7).integers(0, 256, (count, 40, 61, 3), dtype=np.uint8)
    return [encoder.preprocess(pixels) for pixels in drawn]


def test_vectors_are_float32_rows_of_unit_length(encoder: Encoder) -> None:
    for rows in (embed(encoder, *TEXTS), encoder.encode_images(pictures(encoder, 3))):
        assert rows.dtype == np.float32
        assert rows.shape[1] == encoder.info.dim
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    alone = np.concatenate([embed(encoder, text) for text in TEXTS])
    np.testing.assert_allclose(embed(encoder, *TEXTS), alone, atol=1e-5)
    shown = pictures(encoder, 3)
    separately = np.concatenate([encoder.encode_images([pixels]) for pixels in shown])
    np.testing.assert_allclose(encoder.encode_images(shown), separately, atol=1e-5)


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE.keys())
def test_texts_in_every_script_and_of_any_length_have_vectors(encoder: Encoder, text: str) -> None:
    alone, beside = embed(encoder, text), embed(encoder, "a cat", text)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(beside[1], alone[0], atol=1e-5)


def test_different_texts_have_different_vectors(encoder: Encoder) -> None:
    rows = embed(encoder, "a happy cat", "a sad dog")
    assert float(rows[0] @ rows[1]) < 0.9999


def test_tokens_fill_the_context_and_tell_what_was_cut(encoder: Encoder) -> None:
    room = encoder.info.context_length - 2
    for words, is_cut in ((0, False), (1, False), (room, False), (room + 1, True), (10 * room, True)):
        tokens, truncated = encoder.tokenize("word " * words)
        assert tokens.shape == (encoder.info.context_length,)
        assert truncated is is_cut


def test_pictures_of_any_shape_become_the_models_input(encoder: Encoder) -> None:
    for height, width in ((1, 1), (7, 300), (300, 7), (32, 32), (1, 5_000), (5_000, 1)):
        ready = encoder.preprocess(np.full((height, width, 3), 200, np.uint8))
        assert ready.shape == (*encoder.info.image_size, 3)
        assert ready.dtype == np.uint8


def test_loading_again_gives_the_same_fingerprint_and_vectors(tiny_model: Path, tiny_encoder: Encoder) -> None:
    again = load_encoder(Settings(model=f"local-dir:{tiny_model}", device="cpu", precision="fp32"))
    assert again.info == tiny_encoder.info
    np.testing.assert_array_equal(embed(again, "a cat"), embed(tiny_encoder, "a cat"))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"embed_dim": 24},
        {"preprocess": {"mean": 0.5}},
        {"preprocess": {"resize_mode": "squash"}},
        {"quick_gelu": True},
    ],
)
def test_whatever_makes_vectors_incomparable_changes_the_fingerprint(
    change: dict[str, Any], tmp_path: Path, tiny_encoder: Encoder
) -> None:
    folder = save_model(tmp_path, **change)
    changed = load_encoder(Settings(model=f"local-dir:{folder}", device="cpu", precision="fp32"))
    assert changed.info.fingerprint != tiny_encoder.info.fingerprint


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_keeps_the_fingerprint_and_nearly_the_vectors(
    precision: str, tiny_model: Path, tiny_encoder: Encoder
) -> None:
    half = load_encoder(Settings(model=f"local-dir:{tiny_model}", device="cpu", precision=precision))  # type: ignore[arg-type]
    assert half.info.precision == precision
    assert half.info.fingerprint == tiny_encoder.info.fingerprint
    cosines = (embed(half, *TEXTS) * embed(tiny_encoder, *TEXTS)).sum(axis=1)
    assert cosines.min() > 0.999
