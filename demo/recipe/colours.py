"""Names the colours that a concept's pictures are made of."""

import numpy as np
import numpy.typing as npt

from demo.recipe.art import Art

# Anchors in RGB; a pixel belongs to the nearest. Several anchors share a name where a colour has shades.
ANCHORS = (
    ("red", (220, 30, 40)),
    ("red", (150, 20, 30)),
    ("orange", (245, 140, 30)),
    ("yellow", (255, 210, 60)),
    ("yellow", (250, 235, 120)),
    ("green", (60, 160, 60)),
    ("green", (140, 200, 70)),
    ("blue", (30, 100, 210)),
    ("blue", (90, 180, 240)),
    ("purple", (140, 70, 180)),
    ("pink", (245, 140, 180)),
    ("brown", (130, 80, 45)),
    ("brown", (170, 115, 70)),
    ("black", (25, 25, 30)),
    ("white", (245, 245, 245)),
    ("grey", (140, 145, 150)),
)
NAMES = tuple(dict.fromkeys(name for name, _ in ANCHORS))
DOMINANT_SHARE = 0.35  # of the opaque pixels, averaged over the concept's pictures
STEP = 4  # every fourth pixel each way is enough to tell a share
OPAQUE = 128


def dominant_colours(art: Art, concepts: int) -> list[list[str]]:
    """For each concept the names of colours that cover at least DOMINANT_SHARE of it, most first."""
    totals = np.zeros((concepts, len(NAMES)))
    counts = np.zeros(concepts)
    for pixels, concept in zip(art.pixels[:, ::STEP, ::STEP], art.concept, strict=True):
        totals[concept] += _shares(pixels)
        counts[concept] += 1
    shares = totals / np.maximum(counts, 1)[:, None]
    return [[NAMES[at] for at in np.argsort(-row) if row[at] >= DOMINANT_SHARE] for row in shares]


def _shares(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    flat = pixels.reshape(-1, 4)
    opaque = flat[flat[:, 3] > OPAQUE][:, :3].astype(np.float64)
    anchors = np.array([rgb for _, rgb in ANCHORS], np.float64)
    nearest = ((opaque[:, None] - anchors) ** 2).sum(-1).argmin(1)
    of_anchor = np.array([NAMES.index(name) for name, _ in ANCHORS])
    return np.bincount(of_anchor[nearest], minlength=len(NAMES)) / max(len(opaque), 1)
