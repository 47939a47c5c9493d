"""Evaluates a model on the held-out Noto pictures, loaded and preprocessed by open_clip itself.

`python -m demo.recipe.evaluate --model demo/model --json`
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demo.collection import build
from demo.openclip import open_clip
from demo.recipe.figures import answers, figures, found
from demo.recipe.gallery import Gallery, load_gallery
from demo.recipe.heldout import load_phrases
from demo.recipe.places import MODEL, PHRASES

BATCH = 128
SHOWN = 6


class Loaded:
    """An open_clip model folder with its own preprocessing and tokenizer."""

    def __init__(self, folder: Path) -> None:
        name = f"local-dir:{folder}"
        self._model: Any
        self._model, _, self._preprocess = open_clip().create_model_and_transforms(name)
        self._model.eval()
        self._tokenizer = open_clip().get_tokenizer(name)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit rows (n, d)."""
        tokens: Tensor = self._tokenizer(list(texts))
        return torch.cat([self._model.encode_text(part, normalize=True) for part in torch.split(tokens, BATCH)])

    @torch.inference_mode()
    def pictures(self, gallery: Gallery) -> Tensor:
        """Unit rows (n, d)."""
        pixels = torch.stack([self._preprocess(picture) for picture in gallery.pictures()])
        return torch.cat([self._model.encode_image(part, normalize=True) for part in torch.split(pixels, BATCH)])


def evaluate(model: Loaded, gallery: Gallery) -> dict[str, float]:
    """R@1, R@5, R@10 of labels; a relevant hit among the first ten for keywords and for held-out phrases."""
    return figures(gallery, model.pictures(gallery), load_phrases(PHRASES), model.texts)


def show(model: Loaded, gallery: Gallery, queries: Sequence[str]) -> list[str]:
    """Each query with the labels that it finds."""
    order = (model.texts(queries) @ model.pictures(gallery).T).topk(SHOWN, dim=1).indices.tolist()
    return [
        f"{query}: {', '.join(gallery.labels[at] for at in row)}" for query, row in zip(queries, order, strict=True)
    ]


def missed(model: Loaded, gallery: Gallery) -> list[str]:
    """The held-out phrases without a relevant hit."""
    phrases = load_phrases(PHRASES)
    scores = model.texts([phrase.text for phrase in phrases]) @ model.pictures(gallery).T
    return [
        phrase.text for phrase, hit in zip(phrases, found(scores, answers(gallery, phrases)), strict=True) if not hit
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Evaluate a model on the held-out Noto pictures.")
    parser.add_argument("--model", type=Path, default=MODEL, help="folder in open_clip's layout")
    parser.add_argument(
        "--collection", type=Path, help="a built sample collection; without it one is built and dropped"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--show", nargs="*", default=[], metavar="QUERY", help="also print what these find")
    parser.add_argument("--missed", action="store_true", help="also print the phrases that find nothing relevant")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        gallery = load_gallery(build(arguments.collection or Path(temporary)))
        _report(arguments, Loaded(arguments.model), gallery)


def _report(arguments: argparse.Namespace, model: Loaded, gallery: Gallery) -> None:
    reached = {name: round(value, 4) for name, value in evaluate(model, gallery).items()}
    if arguments.json:
        print(json.dumps(reached | {"pictures": len(gallery.files)}))
        return
    for name, value in reached.items():
        print(f"{name:14} {value:.3f}")
    queries = [*arguments.show, *(missed(model, gallery) if arguments.missed else [])]
    for line in show(model, gallery, queries) if queries else []:
        print(line)


if __name__ == "__main__":
    main()
