"""Training art: openly licensed colour pictograms, matched to concepts and rasterised into one array."""

import io
import logging
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from demo.concepts import Concept
from demo.icons import IconSet, rasterise
from demo.recipe.places import RECIPE_MODULES

logger = logging.getLogger(__name__)

# Noto and its older drawings (noto-v1, blob) stay out: Noto is what the model is evaluated and shown on.
SETS = (
    "twemoji",
    "openmoji",
    "fluent-emoji-flat",
    "fluent-emoji",
    "emojione",
    "emojione-v1",
    "fxemoji",
    "streamline-emojis",
)
SHARED_NAMES = {"fluent-emoji": "fluent-emoji-flat"}  # the first lists no code points but uses the second's names
SIDE = 80  # pixels: a margin over the model's 64, so that zooming in during training stays sharp


@dataclass(frozen=True)
class Art:
    """Pictures (n, SIDE, SIDE, 4) as RGBA bytes, with each one's concept (index) and art set (index into SETS)."""

    pixels: npt.NDArray[np.uint8]
    concept: npt.NDArray[np.int64]
    style: npt.NDArray[np.int64]


def load_art(concepts: list[Concept], cache: Path) -> Art:
    """All training art, rasterised once and then read from `cache`."""
    if not cache.exists():
        _save(_rasterise_all(concepts), cache)
    stored = np.load(cache)
    return Art(stored["pixels"], stored["concept"], stored["style"])


def _save(art: Art, cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, pixels=art.pixels, concept=art.concept, style=art.style)


def _rasterise_all(concepts: list[Concept]) -> Art:
    jobs = [(style, *job) for style, name in enumerate(SETS) for job in _drawings(name, concepts)]
    with ProcessPoolExecutor() as pool:
        drawn = list(pool.map(_pixels, [svg for _, _, svg in jobs], chunksize=64))
    kept = [(style, concept, pixels) for (style, concept, _), pixels in zip(jobs, drawn, strict=True) if pixels.any()]
    styles, indexes, pictures = zip(*kept, strict=True)
    return Art(np.stack(pictures), np.array(indexes), np.array(styles))


def _drawings(name: str, concepts: list[Concept]) -> Iterator[tuple[int, str]]:
    icons = IconSet(RECIPE_MODULES, name)
    codes = IconSet(RECIPE_MODULES, SHARED_NAMES.get(name, name)).name_of_code
    names = _names_by_key(icons)
    found = 0
    for index, concept in enumerate(concepts):
        matches = [codes[concept.code]] if concept.code in codes else names.get(_key(concept.slug), [])
        for match in matches:
            found += 1
            yield index, icons.svg(match)
    logger.info("%s %s: %d pictures", name, icons.version, found)


def _names_by_key(icons: IconSet) -> dict[str, list[str]]:
    """Icon names by bare letters; `cat-1` and `cat-2` are two drawings of `cat`."""
    names: dict[str, list[str]] = {}
    for name in icons.names:
        names.setdefault(_key(re.sub(r"-[123]$", "", name)), []).append(name)
    return names


def _key(name: str) -> str:
    return name.removeprefix("flag-for-").removeprefix("flag-").replace("-", "")


def _pixels(svg: str) -> npt.NDArray[np.uint8]:
    try:
        picture = Image.open(io.BytesIO(rasterise(svg, SIDE)))
    except ValueError:
        return np.zeros((SIDE, SIDE, 4), np.uint8)
    return np.asarray(picture.convert("RGBA").resize((SIDE, SIDE)))
