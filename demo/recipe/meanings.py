"""Finds which of WordNet's meanings a concept has, with the teacher as the judge."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from demo.concepts import Concept
from demo.recipe.teacher import Teacher
from demo.recipe.wordnet import Synset, WordNet

SENSES = 6  # of a word, most frequent first
LEAST_COSINE = 0.3  # below it the best meaning is still another one: `ox` is no `Old Church Slavonic`
GLOSS_WORDS = 12  # what the text tower's context holds
TOO_GENERAL = 3  # levels of WordNet's hierarchy under the root that say nothing a person would type
# WordNet's lexicographer files that each group's concepts are found in: animals, artifacts, food, people, …
TOPICS = {
    "people-body": {8, 18},
    "animals-nature": {5, 20},
    "food-drink": {6, 13},
    "travel-places": {6, 15, 17, 19},
    "activities": {4, 6},
    "objects": {6, 10},
}
TOPIC_BONUS = 0.25
PREFIXES = r"^(person|man|woman|men|women|people|face|flag|keycap|family|with|in|button|symbol)[: ]+"


@dataclass(frozen=True)
class Meaning:
    """Synonyms, what it is a kind of, and definitions."""

    words: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    glosses: list[str] = field(default_factory=list)


class Meanings:
    """The chosen meaning of every concept whose label WordNet knows."""

    def __init__(self, wordnet: WordNet, concepts: list[Concept], keywords: list[list[str]], teacher: Teacher) -> None:
        self._wordnet = wordnet
        self._found = self._choose(concepts, keywords, teacher)

    def of(self, concept: Concept) -> Meaning:
        """Empty for concepts such as `face with tears of joy` that no dictionary lists."""
        synset = self._found.get(concept.code)
        if synset is None:
            return Meaning()
        kinds = self._wordnet.kinds_of(synset, depth=12)[:-TOO_GENERAL][:3]
        return Meaning([word.lower() for word in synset.lemmas], kinds, [shorten(synset.gloss)])

    def _choose(self, concepts: list[Concept], keywords: list[list[str]], teacher: Teacher) -> dict[str, Synset]:
        known = [(index, self._senses(concept.label)) for index, concept in enumerate(concepts)]
        pairs = [(index, synset) for index, senses in known for synset in senses]
        described = [f"{concepts[index].label}: {', '.join(keywords[index][:8])}" for index, _ in pairs]
        explained = [f"{', '.join(synset.lemmas)}: {shorten(synset.gloss)}" for _, synset in pairs]
        bonus = torch.tensor([TOPIC_BONUS * _on_topic(concepts[index], synset) for index, synset in pairs])
        cosines = (teacher.embed("concepts", described) * teacher.embed("senses", explained)).sum(1)
        return _best(concepts, pairs, cosines + bonus)

    def _senses(self, label: str) -> list[Synset]:
        bare = re.sub(PREFIXES, "", label.lower())
        for name in (label.lower(), bare, bare.removesuffix(" face"), bare.removesuffix("s")):
            if name in self._wordnet.senses:
                return self._wordnet.senses[name][:SENSES]
        return []


def shorten(gloss: str) -> str:
    """The first part of a gloss, in few words and without brackets."""
    plain = re.sub(r"\([^)]*\)|`|'", "", gloss).split(";")[0].rstrip(" :,")
    return " ".join(plain.split()[:GLOSS_WORDS])


def _best(concepts: list[Concept], pairs: Iterable[tuple[int, Synset]], cosines: torch.Tensor) -> dict[str, Synset]:
    found: dict[str, tuple[float, Synset]] = {}
    for (index, synset), cosine in zip(pairs, cosines.tolist(), strict=True):
        code = concepts[index].code
        if cosine > max(LEAST_COSINE, found.get(code, (0.0,))[0]):
            found[code] = (cosine, synset)
    return {code: synset for code, (_, synset) in found.items()}


def _on_topic(concept: Concept, synset: Synset) -> bool:
    return synset.topic in TOPICS.get(concept.group, ())
