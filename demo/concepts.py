"""The concepts that pictograms show: names, tags and groups, as emojibase lists them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPONENT_GROUP = 2  # skin tones and hair styles: parts of pictograms, not pictograms


@dataclass(frozen=True)
class Concept:
    """One pictogram's meaning; `code` is its code points without variation selectors."""

    code: str
    slug: str
    label: str
    tags: tuple[str, ...]
    group: str
    subgroup: str
    emoji: str


def load_concepts(node_modules: Path) -> list[Concept]:
    """All concepts without skin tone variants, in emojibase's order."""
    package = node_modules / "emojibase-data"
    entries = json.loads((package / "en" / "data.json").read_text(encoding="utf-8"))
    names = json.loads((package / "meta" / "groups.json").read_text(encoding="utf-8"))
    shown = [entry for entry in entries if entry.get("group", COMPONENT_GROUP) != COMPONENT_GROUP]
    return [_concept(entry, names) for entry in sorted(shown, key=lambda entry: int(entry["order"]))]


def code_of(hexcode: str) -> str:
    """One spelling for code points that the art packages write with and without U+FE0F."""
    return "-".join(part.lstrip("0") for part in hexcode.upper().split("-") if part != "FE0F")


def slug_of(label: str) -> str:
    """`one o’clock` as `one-oclock`: what files and icons are named by."""
    plain = re.sub("[’']", "", label.lower())
    spelled = plain.replace("#", "hash").replace("*", "asterisk")
    return re.sub(r"[^a-z0-9]+", "-", spelled).strip("-")


def _concept(entry: dict[str, Any], names: dict[str, dict[str, str]]) -> Concept:
    return Concept(
        code=code_of(entry["hexcode"]),
        slug=slug_of(entry["label"]),
        label=entry["label"],
        tags=tuple(entry.get("tags", ())),
        group=names["groups"][str(entry["group"])],
        subgroup=names["subgroups"][str(entry["subgroup"])],
        emoji=entry["emoji"],
    )
