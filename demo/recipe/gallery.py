"""The held-out pictures as an evaluation sees them: files of the sample collection on white, with their payloads."""

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from demo.collection import PAYLOADS

RARE = 20  # keywords that name at most so many pictures have an answer one can find in ten hits


@dataclass(frozen=True)
class Gallery:
    """Labels and tags of n pictures, and their files."""

    files: list[Path]
    labels: list[str]
    tags: list[list[str]]

    def pictures(self) -> list[Image.Image]:
        """RGB pictures on white, in order."""
        return [on_white(file) for file in self.files]

    def keywords(self) -> dict[str, set[int]]:
        """Tags that name at most RARE pictures, with the positions of those."""
        found: dict[str, set[int]] = {}
        for position, tags in enumerate(self.tags):
            for tag in tags:
                found.setdefault(tag, set()).add(position)
        return {tag: positions for tag, positions in found.items() if len(positions) <= RARE}


def load_gallery(collection: Path) -> Gallery:
    """What `demo.collection.build` made in `collection`."""
    payloads = json.loads((collection / PAYLOADS).read_text(encoding="utf-8"))
    return Gallery(
        files=[collection / name for name in payloads],
        labels=[payload["label"] for payload in payloads.values()],
        tags=[payload["tags"] for payload in payloads.values()],
    )


def on_white(file: Path) -> Image.Image:
    """The picture without transparency."""
    with Image.open(file) as picture:
        drawn = picture.convert("RGBA")
    white = Image.new("RGBA", drawn.size, "white")
    white.alpha_composite(drawn)
    return white.convert("RGB")
