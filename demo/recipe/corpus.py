"""English texts for distilling the text tower: captions, words, definitions and made-up phrases."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from demo.concepts import Concept
from demo.recipe.captions import Captions
from demo.recipe.heldout import HeldOut
from demo.recipe.meanings import shorten
from demo.recipe.wordnet import WordNet

PATTERNS = Path(__file__).with_name("patterns.json")
# WordNet's lexicographer files of things that can be drawn: animals, artifacts, bodies, food, objects, people, plants,
# weather and other phenomena, shapes.
DRAWABLE = {5, 6, 8, 13, 17, 18, 19, 20, 25}


def write_corpus(
    concepts: list[Concept],
    captions: list[Captions],
    wordnet: WordNet,
    held_out: HeldOut,
    *,
    phrases: int,
    seed: int = 0,
) -> list[str]:
    """All texts, each once; `phrases` of them are drawn from PATTERNS."""
    rng = random.Random(seed)
    frequent = [wordnet.synsets[key] for key in sorted(wordnet.frequent)]
    own = [text for caption in captions for pool in caption.pools for text in pool]
    words = [lemma for synset in frequent for lemma in synset.lemmas]
    definitions = [shorten(synset.gloss) for synset in frequent if synset.topic in DRAWABLE]
    nouns = _nouns(concepts, captions, wordnet)
    made_up = list(_phrases(nouns, phrases, rng))
    return held_out.without([*own, *words, *definitions, *made_up])


def _nouns(concepts: list[Concept], captions: list[Captions], wordnet: WordNet) -> list[str]:
    """Pictograms' names and keywords, twice as often as WordNet's frequent drawable nouns."""
    own = [concept.label.lower() for concept in concepts if ":" not in concept.label]
    own += [word for caption in captions for word in caption.keywords[:4]]
    frequent = [wordnet.synsets[key] for key in sorted(wordnet.frequent) if key[0] == "n"]
    return own * 2 + [synset.lemmas[0] for synset in frequent if synset.topic in DRAWABLE]


def _phrases(nouns: list[str], count: int, rng: random.Random) -> Iterator[str]:
    made_of = json.loads(PATTERNS.read_text(encoding="utf-8"))
    adjectives, actions = made_of["adjectives"].split(), made_of["actions"].split()
    for _ in range(count):
        yield rng.choice(made_of["patterns"]).format(
            adjective=rng.choice(adjectives),
            noun=rng.choice(nouns),
            other=rng.choice(nouns),
            action=rng.choice(actions),
        )
