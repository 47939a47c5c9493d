"""Captions as numbers: which texts exist, which concepts each belongs to, and how one is drawn for a picture."""

from collections.abc import Sequence

import torch
from torch import Tensor

from demo.concepts import Concept
from demo.recipe.captions import Captions

LABEL_WEIGHT = 3  # draws of the label itself for each of another name
SIDED_GROUPS = {"symbols", "flags"}
SIDED_WORDS = ("left", "right", "clock", "-thirty", "moon", "keyboard", "calendar", "book")


class CaptionBank:
    """All captions of all concepts; draws are made with `generator`, on its device, so that a seed repeats them."""

    def __init__(self, captions: Sequence[Captions], generator: torch.Generator) -> None:
        texts = {text: None for caption in captions for pool in caption.pools for text in pool}
        self.texts = list(texts)
        self._generator = generator
        self._index = {text: index for index, text in enumerate(self.texts)}
        self.belongs = torch.zeros(len(captions), len(self.texts), dtype=torch.bool)
        for concept, caption in enumerate(captions):
            self.belongs[concept, [self._index[text] for pool in caption.pools for text in pool]] = True
        self.belongs = self.belongs.to(generator.device)
        self.labels = self._tensor([self._index[caption.names[0]] for caption in captions])
        names = [caption.names[:1] * LABEL_WEIGHT + caption.names[1:] for caption in captions]
        others = [[caption.pools[which] for caption in captions] for which in (1, 2, 3)]
        self._pools = [self._padded(pool) for pool in (names, *others)]

    def draw(self, concepts: Tensor, shares: Sequence[float]) -> Tensor:
        """One text (index) for each concept (n,), from pools chosen with probabilities `shares`."""
        odds = torch.tensor(shares, device=self._generator.device)
        chosen = torch.multinomial(odds, len(concepts), replacement=True, generator=self._generator)
        drawn = self.labels[concepts]
        for which, (members, counts) in enumerate(self._pools):
            here = (chosen == which) & (counts[concepts] > 0)
            chance = torch.rand(len(concepts), generator=self._generator, device=odds.device)
            at = (chance * counts[concepts]).long()
            drawn = torch.where(here, members[concepts, at.clamp(min=0)], drawn)
        return drawn

    def _padded(self, pools: list[list[str]]) -> tuple[Tensor, Tensor]:
        counts = self._tensor([len(pool) for pool in pools])
        members = torch.zeros(len(pools), int(counts.max()), dtype=torch.long)
        for row, pool in enumerate(pools):
            members[row, : len(pool)] = torch.tensor([self._index[text] for text in pool], dtype=torch.long)
        return members.to(counts.device), counts

    def _tensor(self, values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self._generator.device)


def flippable(concepts: Sequence[Concept]) -> Tensor:
    """Whether a concept's mirror image still shows it (n,)."""
    return torch.tensor(
        [
            concept.group not in SIDED_GROUPS and not any(word in concept.label.lower() for word in SIDED_WORDS)
            for concept in concepts
        ]
    )


def concept_weights(concepts: Sequence[Concept], flag_share: float = 0.35) -> Tensor:
    """How often each concept is drawn (n,): flags are many, all alike, and seldom searched for."""
    return torch.tensor([flag_share if "flag" in concept.subgroup else 1.0 for concept in concepts])
