"""The phrases kept out of training, and the test that a training text is none of them."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Two texts whose content words overlap this much (Jaccard) count as the same phrase.
NEAR_DUPLICATE = 0.6
STOPWORDS = frozenset(Path(__file__).with_name("stopwords.txt").read_text(encoding="utf-8").split())


@dataclass(frozen=True)
class Phrase:
    """What a person might type, and the labels of the pictures that answer it."""

    text: str
    labels: frozenset[str]


def load_phrases(path: Path) -> list[Phrase]:
    """The evaluation's phrases, written down before any training."""
    return [
        Phrase(entry["phrase"], frozenset(entry["labels"])) for entry in json.loads(path.read_text(encoding="utf-8"))
    ]


def content_words(text: str) -> frozenset[str]:
    """Lower-case words without endings of number and without stopwords; all words when nothing else is left."""
    words = re.findall(r"[a-z0-9]+", text.lower().replace("’", "").replace("'", ""))
    content = frozenset(_stem(word) for word in words if word not in STOPWORDS)
    return content or frozenset(words)


class HeldOut:
    """Knows the held-out phrases by their words."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = [content_words(phrase) for phrase in phrases]
        self._by_word: dict[str, set[int]] = {}
        for index, words in enumerate(self._phrases):
            for word in words:
                self._by_word.setdefault(word, set()).add(index)

    def holds(self, text: str) -> bool:
        """Whether `text` is a held-out phrase or a near-duplicate of one."""
        words = content_words(text)
        candidates = set().union(*(self._by_word.get(word, set()) for word in words))
        return any(_overlap(words, self._phrases[index]) >= NEAR_DUPLICATE for index in candidates)

    def without(self, texts: Iterable[str]) -> list[str]:
        """The texts that are no held-out phrase, each once, in order."""
        return [text for text in dict.fromkeys(texts) if not self.holds(text)]


def _overlap(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
