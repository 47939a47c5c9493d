"""How a collection of the embedded store lies on disk: its description and a folder for its current shard."""

import os
from pathlib import Path

import msgspec
import qdrant_edge as edge

from shared.payload_path import path_of
from workers.executors import cpus_granted
from workers.stores.checks import FLOAT_BYTES

DESCRIPTION = "collection.json"
# Edge's own folder in a shard's.
SEGMENTS = "segments"
# Segments with fewer vectors get no graph; the planner never asks for one on so few.
INDEX_FROM = 10_000
# The vector that a search compares unless it names another one; and that of collections with scan copies.
FULL, SCANNED = "", "scan"

_INDEX_TYPES = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
    "geo": edge.PayloadSchemaType.Geo,
    "text": edge.PayloadSchemaType.Text,
}


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What collection.json holds; `shard` names the folder that is current, so that one rename switches shards.

    With `scan_copies` every point has its vector twice, the second time in 8 bits a number and without a graph.
    """

    dim: int
    indexes: dict[str, str]
    meta: dict[str, str]
    shard: str
    scan_copies: bool = False


def read_description(folder: Path) -> Description:
    return msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=Description)


def write_description(folder: Path, description: Description) -> None:
    """Atomic and durable: a reader sees the old or the new one, also after a crash."""
    draft = folder / f".{DESCRIPTION}"
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(description)))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / DESCRIPTION)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create(folder: Path, description: Description) -> None:
    """Lay out an empty collection in `folder`; the caller renames it into place."""
    path = folder / description.shard
    path.mkdir(parents=True)
    shard = edge.EdgeShard.create(str(path), config(description))
    for field, type_ in description.indexes.items():
        shard.update(edge.UpdateOperation.create_field_index(path_of(field), _INDEX_TYPES[type_]))
    shard.close()
    write_description(folder, description)


def opened(path: Path, description: Description) -> edge.EdgeShard:
    """The shard in a folder, with a thread for each segment but the one that takes new points and is scanned soon.

    By itself Edge starts at least eight threads, and each call wakes them all to look for work: of a search through a
    graph of 60,000 points that was two fifths of the CPU time, and a fifth of the time it took.
    """
    segments = sum(1 for _ in (path / SEGMENTS).iterdir())
    threads = max(1, min(segments - 1, cpus_granted()))
    return edge.EdgeShard.load(str(path), config(description, search_threads=threads))


def config(description: Description, *, quantize: bool = False, search_threads: int | None = None) -> edge.EdgeConfig:
    """Quantised, vectors have a copy in 8 bits a number as soon as a graph is built, and the graph is built from it;
    and what is scanned has one in 4 bits. What was built stays as it is, whatever a later configuration says."""
    vectors = {FULL: _full(description.dim, quantize=quantize)}
    if description.scan_copies:
        vectors[SCANNED] = _scanned(description.dim, quantize=quantize)
    return edge.EdgeConfig(
        vectors=vectors,
        max_search_threads=search_threads,
        optimizers=edge.EdgeOptimizersConfig(
            indexing_threshold=max(1, INDEX_FROM * description.dim * FLOAT_BYTES // 1024), default_segment_number=1
        ),
    )


def _full(dim: int, *, quantize: bool) -> edge.EdgeVectorParams:
    return edge.EdgeVectorParams(
        size=dim,
        distance=edge.Distance.Cosine,
        quantization_config=_copy(edge.TurboQuantBitSize.Bits8) if quantize else None,
    )


def _scanned(dim: int, *, quantize: bool) -> edge.EdgeVectorParams:
    """Never part of a graph."""
    return edge.EdgeVectorParams(
        size=dim,
        distance=edge.Distance.Cosine,
        datatype=edge.VectorStorageDatatype.Turbo8,
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=INDEX_FROM),
        quantization_config=_copy(edge.TurboQuantBitSize.Bits4) if quantize else None,
    )


def _copy(bits: edge.TurboQuantBitSize) -> edge.TurboQuantQuantizationConfig:
    return edge.TurboQuantQuantizationConfig(bits=bits, memory=edge.Memory.Cached)
