"""Search phrases as people type them: one to nine words, never the same twice in a run."""

import itertools
import random
from collections.abc import Iterator

MOODS = ["happy", "sleepy", "angry", "old", "tiny", "huge", "wet", "golden", "striped", "broken", "quiet", "shiny"]
COLOURS = ["red", "green", "blue", "yellow", "black", "white", "orange", "purple", "brown", "grey"]
THINGS = [
    "cat", "dog", "bicycle", "boat", "mountain", "flower", "guitar", "house", "train", "apple", "bridge", "clock",
    "child", "horse", "lamp", "umbrella", "kite", "bread", "tree", "window",
]  # fmt: skip
PLACES = [
    "in the snow", "on a table", "near the river", "at night", "in front of a wall", "under a bridge", "on the beach",
    "beside an old car", "in the kitchen",
]  # fmt: skip


def phrases(seed: int) -> Iterator[str]:
    """Mostly two to five words; a number at the end keeps every phrase new, so no batch holds one twice."""
    draw = random.Random(seed)
    for number in itertools.count():
        words = [draw.choice(THINGS)]
        if draw.random() < 0.6:
            words.insert(0, draw.choice(COLOURS))
        if draw.random() < 0.4:
            words.insert(0, draw.choice(MOODS))
        if draw.random() < 0.4:
            words.append(draw.choice(PLACES))
        yield f"{' '.join(words)} {seed}{number}"
