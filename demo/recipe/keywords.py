"""What people call each pictogram: keywords of emojibase, emojilib and CLDR."""

import json
from pathlib import Path

from demo.concepts import Concept


def load_keywords(concepts: list[Concept], node_modules: Path) -> list[list[str]]:
    """Lower-case keywords for each concept, each once, without its own label."""
    emojilib = _by_emoji(json.loads((node_modules / "emojilib" / "dist" / "emoji-en-US.json").read_text("utf-8")))
    cldr = _by_emoji(_cldr(node_modules))
    return [_keywords(concept, emojilib, cldr) for concept in concepts]


def _keywords(concept: Concept, *sources: dict[str, list[str]]) -> list[str]:
    emoji = _bare(concept.emoji)
    found = [*concept.tags, *(word for source in sources for word in source.get(emoji, []))]
    plain = (word.lower().replace("_", " ").strip() for word in found)
    worded = (word for word in plain if not any(letter.isdigit() for letter in word) and word != concept.label.lower())
    return list(dict.fromkeys(word for word in worded if any(letter.isalpha() for letter in word) and ":" not in word))


def _cldr(node_modules: Path) -> dict[str, list[str]]:
    path = node_modules / "cldr-annotations-modern" / "annotations" / "en" / "annotations.json"
    annotations = json.loads(path.read_text(encoding="utf-8"))["annotations"]["annotations"]
    return {emoji: entry.get("default", []) for emoji, entry in annotations.items()}


def _by_emoji(keywords: dict[str, list[str]]) -> dict[str, list[str]]:
    return {_bare(emoji): words for emoji, words in keywords.items()}


def _bare(emoji: str) -> str:
    return emoji.replace("\N{VARIATION SELECTOR-16}", "")
