"""What an evaluation counts: how far up each query's right pictures rank."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from demo.recipe.gallery import Gallery
from demo.recipe.heldout import Phrase

TOP = 10
Embed = Callable[[list[str]], Tensor]


def figures(gallery: Gallery, pictures: Tensor, phrases: Sequence[Phrase], embed: Embed) -> dict[str, float]:
    """All figures as shares between 0 and 1; `pictures` and what `embed` gives are unit rows (n, d)."""
    keywords = gallery.keywords()
    return {
        **recall(embed(gallery.labels) @ pictures.T),
        "keyword_hit10": hits(embed(list(keywords)) @ pictures.T, list(keywords.values())),
        "phrase_hit10": hits(embed([phrase.text for phrase in phrases]) @ pictures.T, answers(gallery, phrases)),
    }


def recall(scores: Tensor) -> dict[str, float]:
    """Recall of picture i for query i among the first 1, 5 and 10, from scores (n, n)."""
    rank = (scores > scores.diagonal()[:, None]).sum(1)
    return {f"r{top}": (rank < top).float().mean().item() for top in (1, 5, TOP)}


def hits(scores: Tensor, relevant: Sequence[set[int]]) -> float:
    """Share of queries with a relevant picture among the first ten, from scores (queries, n)."""
    return sum(found(scores, relevant)) / len(relevant)


def found(scores: Tensor, relevant: Sequence[set[int]]) -> list[bool]:
    """For each query whether a relevant picture is among the first ten."""
    first = torch.topk(scores, TOP, dim=1).indices.tolist()
    return [not wanted.isdisjoint(row) for row, wanted in zip(first, relevant, strict=True)]


def answers(gallery: Gallery, phrases: Sequence[Phrase]) -> list[set[int]]:
    """Positions of the pictures whose labels each phrase accepts."""
    return [{at for at, label in enumerate(gallery.labels) if label in phrase.labels} for phrase in phrases]
