"""The bundled model, loaded as any user's model is, searched on the pictures that `make demo` shows."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from demo.recipe.evaluate import Loaded
from demo.recipe.gallery import Gallery, load_gallery
from demo.recipe.places import MODEL

LIMIT_BYTES = 25_000_000
# Drawing and encoding all pictures takes half a minute, and several times that on a busy machine.
pytestmark = pytest.mark.timeout(480)


@pytest.fixture(scope="module")
def gallery(pictograms: Path) -> Gallery:
    return load_gallery(pictograms)


@pytest.fixture(scope="module")
def model() -> Loaded:
    return Loaded(MODEL)


@pytest.fixture(scope="module")
def pictures(model: Loaded, gallery: Gallery) -> torch.Tensor:
    return model.pictures(gallery)


def _best(model: Loaded, gallery: Gallery, pictures: torch.Tensor, query: str, count: int = 10) -> list[str]:
    scores = (model.texts([query]) @ pictures.T)[0]
    return [gallery.labels[at] for at in scores.topk(count).indices.tolist()]


def test_a_cat_is_found(model: Loaded, gallery: Gallery, pictures: torch.Tensor) -> None:
    assert "cat" in " ".join(_best(model, gallery, pictures, "cat", 3)).split()


def test_red_fruit_is_found(model: Loaded, gallery: Gallery, pictures: torch.Tensor) -> None:
    red_fruit = {"red apple", "strawberry", "cherries", "tomato", "watermelon", "peach"}

    assert len(red_fruit.intersection(_best(model, gallery, pictures, "red fruit"))) >= 3


def test_happy_faces_are_found(model: Loaded, gallery: Gallery, pictures: torch.Tensor) -> None:
    found = _best(model, gallery, pictures, "happy face")

    assert sum("grinning" in label or "smiling" in label or "joy" in label for label in found) >= 3


def test_vectors_have_the_stated_size_and_length_one(model: Loaded, pictures: torch.Tensor, gallery: Gallery) -> None:
    texts = model.texts(["cat", "a red fruit on a table"])

    assert texts.shape == (2, 256)
    assert pictures.shape == (len(gallery.files), 256)
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(2))


def test_the_weights_are_small_and_in_half_precision() -> None:
    weights = MODEL / "open_clip_model.safetensors"

    assert weights.stat().st_size < LIMIT_BYTES
    with safe_open(weights, framework="pt") as stored:
        assert {stored.get_tensor(name).dtype for name in stored.keys()} <= {torch.float16, torch.int64}  # noqa: SIM118
