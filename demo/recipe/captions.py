"""Captions: everything that training says about each concept, held-out phrases left out."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.concepts import Concept
from demo.recipe.heldout import HeldOut
from demo.recipe.meanings import Meaning

TEMPLATES = ("a {}", "a picture of a {}", "{} emoji", "an icon of {}", "the {}")
COLOURED_GROUPS = {"animals-nature", "food-drink", "travel-places", "activities", "objects"}
GROUP_HEADS = {
    "smileys-emotion": "face",
    "people-body": "person",
    "animals-nature": "animal",
    "food-drink": "food",
    "travel-places": "place",
    "activities": "game",
    "objects": "thing",
    "symbols": "sign",
    "flags": "flag",
}
HEADS = {"plant-flower": "flower", "plant-other": "plant", "drink": "drink", "heart": "heart"}
HEADS |= {"transport-ground": "vehicle", "transport-water": "boat", "transport-air": "aircraft", "time": "clock"}
PAIRS = 6  # sampled pairs of keywords for each concept
KINDS = Path(__file__).with_name("kinds.json")


@dataclass(frozen=True)
class Captions:
    """One concept's captions in four pools: its names, its keywords, combinations of them, and what it is."""

    names: list[str]
    keywords: list[str]
    combined: list[str]
    meanings: list[str]

    @property
    def pools(self) -> tuple[list[str], list[str], list[str], list[str]]:
        """All four, in a fixed order."""
        return self.names, self.keywords, self.combined, self.meanings


@dataclass(frozen=True)
class Source:
    """What is known about one concept before captions are written."""

    concept: Concept
    keywords: list[str]
    colours: list[str]


def write_captions(
    sources: list[Source], meaning_of: Callable[[Concept], Meaning], held_out: HeldOut, seed: int = 0
) -> list[Captions]:
    """Captions for every concept; the label itself is always among the names."""
    kinds: dict[str, list[str]] = json.loads(KINDS.read_text(encoding="utf-8"))
    rng = random.Random(seed)
    return [
        _captions(source, meaning_of(source.concept), kinds[source.concept.subgroup], held_out, rng)
        for source in sources
    ]


def _captions(source: Source, meant: Meaning, kind: list[str], held_out: HeldOut, rng: random.Random) -> Captions:
    concept = source.concept
    return Captions(
        names=[concept.label, *held_out.without(_names(concept))],
        keywords=held_out.without(source.keywords),
        combined=held_out.without([*_pairs(source, rng), *_headed(source), *_coloured(source, kind[0], meant.kinds)]),
        meanings=held_out.without([*kind, *meant.words, *meant.kinds, *meant.glosses]),
    )


def _names(concept: Concept) -> list[str]:
    name = concept.label.replace("flag: ", "flag of ").replace("person: ", "person with ").lower()
    return [name, *(template.format(name) for template in TEMPLATES)]


def _pairs(source: Source, rng: random.Random) -> list[str]:
    words = source.keywords
    if len(words) < 2:
        return []
    pairs = [" ".join(rng.sample(words, 2)) for _ in range(PAIRS)]
    return pairs + [f"{source.concept.label}, {rng.choice(words)}" for _ in range(PAIRS // 2)]


def _headed(source: Source) -> list[str]:
    """Keywords as adjectives: `funny face`, `spicy food`."""
    head = HEADS.get(source.concept.subgroup, GROUP_HEADS[source.concept.group])
    return [f"{word} {head}" for word in source.keywords if head not in word]


def _coloured(source: Source, kind: str, more_kinds: list[str]) -> list[str]:
    if source.concept.group not in COLOURED_GROUPS:
        return []
    nouns = [source.concept.label, kind, *more_kinds[:2]]
    return [f"{colour} {noun}" for colour in source.colours for noun in nouns if colour not in noun]
