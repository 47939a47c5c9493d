"""Prepares what training reads: art, captions, the text corpus and the teacher's embeddings, all cached."""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from demo.concepts import Concept, load_concepts
from demo.openclip import open_clip
from demo.recipe.art import Art, load_art
from demo.recipe.captions import Captions, Source, write_captions
from demo.recipe.colours import dominant_colours
from demo.recipe.corpus import write_corpus
from demo.recipe.heldout import HeldOut, load_phrases
from demo.recipe.keywords import load_keywords
from demo.recipe.meanings import Meanings
from demo.recipe.places import DEMO_MODULES, PHRASES, RECIPE_MODULES, WORK
from demo.recipe.teacher import Teacher
from demo.recipe.wordnet import WordNet

MADE_UP_PHRASES = 60_000


@dataclass(frozen=True)
class Material:
    """Concepts with their captions and art, and the corpus with the teacher's embedding of each text (n, 384)."""

    concepts: list[Concept]
    captions: list[Captions]
    art: Art
    corpus: list[str]
    taught: Tensor


def prepare(work: Path, device: str = "cpu") -> Material:
    """Everything that both towers train on; quick when `work` holds it already."""
    concepts = load_concepts(DEMO_MODULES)
    keywords = load_keywords(concepts, RECIPE_MODULES)
    art = load_art(concepts, work / "art.npz")
    teacher = Teacher(work / "teacher", device)
    wordnet = WordNet(RECIPE_MODULES)
    held_out = HeldOut(phrase.text for phrase in load_phrases(PHRASES))
    described = zip(concepts, keywords, dominant_colours(art, len(concepts)), strict=True)
    meanings = Meanings(wordnet, concepts, keywords, teacher)
    captions = write_captions([Source(*known) for known in described], meanings.of, held_out)
    corpus = write_corpus(concepts, captions, wordnet, held_out, phrases=MADE_UP_PHRASES)
    return Material(concepts, captions, art, corpus, teacher.embed("corpus", corpus))


def token_texts() -> list[str]:
    """What each of the tokenizer's tokens spells, in the order of their ids."""
    decoder: dict[int, str] = open_clip().tokenizer.SimpleTokenizer().decoder
    spelled = [decoder[token].replace("</w>", "") for token in range(len(decoder))]
    return [text or "." for text in spelled]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="where caches live")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    material = prepare(arguments.work, arguments.device)
    Teacher(arguments.work / "teacher", arguments.device).embed("tokens", token_texts())
    logging.getLogger(__name__).info("%d texts, %d pictures", len(material.corpus), len(material.art.pixels))


if __name__ == "__main__":
    main()
