"""Search phrases as people type them: one to nine words, of nine tokens on average, never the same twice in a run.

What keeps them apart is a name of the same length in all: a number would make those of a large seed longer.
"""

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
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
SYLLABLES = [first + second for first in CONSONANTS for second in VOWELS]
NAMES = len(SYLLABLES) ** 4
# Prime, so that names which follow each other share no syllable; and so many phrases has each seed before another's.
SPREAD, EACH = 15_485_863, 40_009


def phrases(seed: int) -> Iterator[str]:
    """Mostly two to five words and a name."""
    draw = random.Random(seed)
    for number in itertools.count():
        words = [draw.choice(THINGS)]
        if draw.random() < 0.6:
            words.insert(0, draw.choice(COLOURS))
        if draw.random() < 0.4:
            words.insert(0, draw.choice(MOODS))
        if draw.random() < 0.4:
            words.append(draw.choice(PLACES))
        yield f"{' '.join(words)} {name(seed * EACH + number)}"


def name(number: int) -> str:
    """Another one for each of 24,010,000 numbers."""
    left, syllables = number * SPREAD % NAMES, []
    for _ in range(4):
        left, which = divmod(left, len(SYLLABLES))
        syllables.append(SYLLABLES[which])
    return "".join(syllables)
