"""Folders of small pictures, broken ones among them."""

import random
from pathlib import Path

from PIL import Image

FORMATS = ("png", "jpg", "webp", "gif", "bmp", "tiff")


def draw(path: Path, seed: int) -> Path:
    """A picture of its own for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = random.Random(seed).randbytes(12 * 8 * 3)
    Image.frombytes("RGB", (12, 8), noise).resize((48, 32)).save(path)
    return path


def mixed(folder: Path, *, good: int, broken: int, other: int) -> Path:
    """`good` pictures of every format in nested folders, `broken` ones, and `other` files that are none."""
    for index in range(good):
        draw(folder / f"{index % 7}" / f"{index % 3}" / f"{index}.{FORMATS[index % len(FORMATS)]}", index)
    for index in range(broken):
        whole = draw(folder / "broken" / f"{index}.jpg", index).read_bytes()
        (folder / "broken" / f"{index}.jpg").write_bytes(whole[: index * 7 % 100])
    for index in range(other):
        (folder / f"note-{index}.txt").write_text("no picture")
    return folder
