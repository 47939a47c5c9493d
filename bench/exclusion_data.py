"""The collections of `bench.exclusion`: clustered vectors, a payload to filter by, an index built once and kept.

A point is a topic plus a cluster plus its own direction, each drawn with a spectrum that falls off, as the embeddings
of pictures do; topics and clusters have unequal sizes. Run as a program it builds one collection.
"""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from shared.settings import Settings
from workers.stores import edge_folder
from workers.stores.edge_dialect import vectors

Matrix = NDArray[np.float32]

NAME = "bench.exclusion"
TOPICS = 64
CLUSTERS = 2_000
QUERIES = 64
BLOCK = 20_000
# How many values each field has: an equality on it passes so many points in a hundred.
FIELDS = {"half": 2, "part": 25, "rare": 1_000}
INDEXES = dict.fromkeys(FIELDS, "integer")
# The falling spectrum: the k-th of `dim` directions has a share of k ** -FALL.
FALL = 0.5


class Stored(NamedTuple):
    """A built collection: its folder, its vectors (points, dim), its values (points,) by field, queries (n, dim)."""

    folder: Path
    vectors: Matrix
    values: dict[str, NDArray[np.int64]]
    queries: Matrix


class Shapes:
    """Where points lie; the same seed draws the same points, block by block."""

    def __init__(self, dim: int, seed: int) -> None:
        self._draw = np.random.default_rng(seed)
        self._scale = (np.arange(1, dim + 1) ** -FALL).astype(np.float32)
        self._topics = self._directions(TOPICS)
        clusters = self._draw.integers(0, TOPICS, CLUSTERS)
        self._centres = self._topics[clusters] + 0.8 * self._directions(CLUSTERS)
        sizes = 1.0 / np.sqrt(np.arange(1, CLUSTERS + 1))
        self._sizes = sizes / sizes.sum()

    def _directions(self, count: int) -> Matrix:
        rows = self._draw.standard_normal((count, len(self._scale)), dtype=np.float32) * self._scale
        directions: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return directions

    def points(self, count: int) -> Matrix:
        """Unit vectors, (count, dim)."""
        rows = self._centres[self._draw.choice(CLUSTERS, count, p=self._sizes)] + 0.8 * self._directions(count)
        vectors: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return vectors


def stored(folder: Path, *, points: int, dim: int) -> Stored:
    """Read what `build` left, building it first when it is not there."""
    place = folder / f"{points}x{dim}"
    if not (place / "vectors" / NAME / edge_folder.DESCRIPTION).exists():
        build(place, points=points, dim=dim)
    values = {field: np.load(place / f"{field}.npy") for field in FIELDS}
    return Stored(place, np.load(place / "points.npy", mmap_mode="r"), values, np.load(place / "queries.npy"))


def build(place: Path, *, points: int, dim: int) -> None:
    """Draw, store, index. A folder that was left half built is begun anew."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shapes, values = Shapes(dim, seed=points + dim), _values(points)
    np.save(place / "queries.npy", shapes.points(QUERIES))
    for field, column in values.items():
        np.save(place / f"{field}.npy", column)
    vectors = np.lib.format.open_memmap(place / "points.npy", mode="w+", dtype=np.float32, shape=(points, dim))
    draft = place / "draft"
    scanned = Settings().scan_copies
    about = edge_folder.Description(dim=dim, indexes=INDEXES, meta={}, shard="shard", scan_copies=scanned)
    edge_folder.create(draft, about)
    shard = edge.EdgeShard.load(str(draft / "shard"), edge_folder.config(about, quantize=Settings().quantize))
    for start in range(0, points, BLOCK):
        block = shapes.points(min(BLOCK, points - start))
        vectors[start : start + len(block)] = block
        shard.update(edge.UpdateOperation.upsert_points(_points(block, values, start, about)))
    vectors.flush()
    shard.optimize()
    shard.flush()
    shard.close()
    target = Path(Settings(data_dir=str(place)).store_path) / NAME
    target.parent.mkdir(parents=True)
    draft.rename(target)


def _values(points: int) -> dict[str, NDArray[np.int64]]:
    draw = np.random.default_rng(points)
    return {field: draw.integers(0, count, points) for field, count in FIELDS.items()}


def _points(
    block: Matrix, values: dict[str, NDArray[np.int64]], start: int, about: edge_folder.Description
) -> list[edge.Point]:
    payloads = [{field: int(values[field][start + row]) for field in FIELDS} for row in range(len(block))]
    rows = [vectors(row, about) for row in block.tolist()]
    return [edge.Point(start + row, rows[row], payloads[row]) for row in range(len(block))]


if __name__ == "__main__":
    stored(Path(sys.argv[1]), points=int(sys.argv[2]), dim=int(sys.argv[3]))
