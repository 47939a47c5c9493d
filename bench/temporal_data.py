"""The videos of `bench.temporal`: rows of shots that show pictures of the sample collection, and what is looked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from bench.classic import STORED
from bench.feedback import World
from shared.clock import now_iso
from shared.jobs import Collection
from shared.settings import Settings
from workers.encoders.protocol import Matrix
from workers.stores.protocol import Point
from workers.stores.qdrant_edge import QdrantEdgeStore

SHOTS, SHOT_S = 40, 4.0
# Shots between the first and the second of a pair, at most; so long after the first one's end the second may begin.
APART = 5
WITHIN_S = APART * SHOT_S
# Of a unit vector: another view of the same has a cosine of 0.9 with it.
NOISE = 0.5
# Videos for each target: the right one, one in the other order, one with too much in between.
EACH = 3
FIELDS = {"video": "keyword", "position": "integer", "start_s": "float"}
BLOCK = 5_000

Shown = npt.NDArray[np.int64]


class Target(NamedTuple):
    """What a user remembers: what one shot shows, and what a later one does."""

    video: str
    pair: tuple[int, int]
    texts: tuple[str, str]


def filmed(world: World, *, videos: int, targets: int, seed: int) -> tuple[Shown, list[Target]]:
    """Which picture each shot shows, (videos, SHOTS), and what is looked for."""
    draw = np.random.default_rng(seed)
    shown = draw.integers(0, len(world.pictures), (videos, SHOTS))
    wanted = []
    for row in range(0, EACH * targets, EACH):
        one, other = draw.choice(len(world.pictures), 2, replace=False).tolist()
        first = int(draw.integers(1, SHOTS - 1 - APART))
        second = first + int(draw.integers(1, APART + 1))
        shown[row, [first, second]] = one, other
        shown[row + 1, [first, second]] = other, one
        shown[row + 2, [0, SHOTS - 1]] = one, other
        texts = (str(world.payloads[one]["label"]), str(world.payloads[other]["label"]))
        wanted.append(Target(f"v{row}", (first, second), texts))
    return shown, wanted


async def store(folder: Path, world: World, shown: Shown, *, model: str, seed: int) -> None:
    """A collection of `shown.size` items with an index, as the workers keep it in a data folder."""
    dim = world.pictures.shape[1]
    known = Collection(
        name="bench", model=model, dim=dim, group_field="video", payload=FIELDS, created_at=now_iso()
    )  # fmt: skip
    edge = QdrantEdgeStore(Settings(data_dir=str(folder)))
    await edge.start()
    await edge.create(STORED, dim=dim, indexes=FIELDS, meta={"collection": msgspec.json.encode(known).decode()})
    for points in _blocks(world, shown, seed):
        await edge.upsert(STORED, points)
    await edge.optimize(STORED)
    await edge.close()


def _blocks(world: World, shown: Shown, seed: int) -> Iterator[list[Point]]:
    draw = np.random.default_rng(seed)
    for start in range(0, shown.size, BLOCK):
        pictures = shown.ravel()[start : start + BLOCK]
        rows = _views(world.pictures[pictures], draw)
        yield [_point(start + place, row) for place, row in enumerate(rows)]


def _views(rows: Matrix, draw: np.random.Generator) -> Matrix:
    """Of each picture another view, (n, dim)."""
    chance = draw.standard_normal(rows.shape).astype(np.float32)
    moved = rows + NOISE * chance / np.linalg.norm(chance, axis=1, keepdims=True)
    views: Matrix = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return views


def _point(number: int, row: Matrix) -> Point:
    video, position = divmod(number, SHOTS)
    start_s = position * SHOT_S
    payload = {"video": f"v{video}", "position": position, "start_s": start_s, "end_s": start_s + SHOT_S}
    return Point(id=number + 1, vector=row.tobytes(), payload=payload)
