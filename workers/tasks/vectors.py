"""From a query's parts to one unit vector."""

import asyncio
import time
from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt

from shared.errors import BadPicture, ItemNotFound
from shared.jobs import Lane, Query
from workers.encoding import Embedded
from workers.ingest.decode import decode
from workers.parts import Parts

Vector = npt.NDArray[np.float32]  # (dim,)
Told = Callable[[], None] | None

# Weights of the examples against the query itself: Rocchio's, as in Manning, Raghavan and Schütze,
# "Introduction to Information Retrieval", 9.1.1.
POSITIVE = 0.75
NEGATIVE = 0.15


async def query_vector(
    query: Query,
    *,
    stored: str,
    lane: Lane,
    parts: Parts,
    on_device: Told = None,
    marked: Collection[int] = (),
) -> tuple[Vector, bool]:
    """The combined unit vector, (dim,), and whether the model cut the text. Raises BadPicture, ItemNotFound.

    `on_device` is called, from the device's thread, when the device takes a part of the query. Of the examples,
    `marked` are those that may be gone meanwhile: a mark must not break every search of its session.
    """
    if query.text is not None and query.image is None and not query.named_ids:
        # Most queries: nothing to do beside it, so no tasks to make.
        return await _words(query.text, lane, parts, on_device)
    text, picture, examples = await asyncio.gather(
        _text(query, lane, parts, on_device),
        _picture(query, lane, parts, on_device),
        _stored(query, stored, parts, marked),
    )
    vector = np.zeros(parts.encoder.info.dim, dtype=np.float32)
    truncated = False
    if text is not None:
        vector, truncated = vector + text[0], text[1]
    if picture is not None:
        vector = vector + picture
    if query.item is not None:
        vector = vector + examples[query.item]
    # Examples alone are a query too; there the weight only scales.
    vector = vector + POSITIVE * _mean(query.positive, examples, like=vector)
    vector = vector - NEGATIVE * _mean(query.negative, examples, like=vector)
    return unit(vector), truncated


def unit(vector: Vector) -> Vector:
    """To length 1; parts that cancel out exactly leave no direction and stay zero."""
    length = float(np.linalg.norm(vector))
    return vector if length == 0.0 else (vector / length).astype(np.float32)


def _mean(ids: list[int], examples: dict[int, Vector], *, like: Vector) -> Vector:
    there = [examples[one] for one in ids if one in examples]
    if not there:
        return np.zeros_like(like)
    mean: Vector = np.mean(there, axis=0, dtype=np.float32)
    return mean


async def _text(query: Query, lane: Lane, parts: Parts, on_device: Told) -> tuple[Vector, bool] | None:
    return None if query.text is None else await _words(query.text, lane, parts, on_device)


async def _words(text: str, lane: Lane, parts: Parts, on_device: Told) -> tuple[Vector, bool]:
    asked_ns = time.time_ns()
    embedded = await parts.texts.vector(text, lane=lane, started=on_device)
    _tell(parts, embedded, asked_ns)
    return embedded.vector, embedded.truncated


async def _picture(query: Query, lane: Lane, parts: Parts, on_device: Told) -> Vector | None:
    if query.image is None:
        return None
    try:
        pixels = await parts.decoding.run(_prepare, query.image, parts)
    except BadPicture as error:
        error.field = "query.image"
        raise
    asked_ns = time.time_ns()
    embedded = await parts.batcher.image(pixels, lane=lane, started=on_device)
    _tell(parts, embedded, asked_ns)
    return embedded.vector


def _tell(parts: Parts, embedded: Embedded, asked_ns: int) -> None:
    if not embedded.batch:
        parts.tracing.past("vector that was there", began_ns=asked_ns)
        return
    parts.tracing.past("wait for the batch", began_ns=asked_ns, ended_ns=embedded.started_ns)
    parts.tracing.past("encode", began_ns=embedded.started_ns, clipline__batch__items=embedded.batch)


def _prepare(data: bytes, parts: Parts) -> npt.NDArray[np.uint8]:
    settings = parts.settings
    return parts.encoder.preprocess(decode(data, max_pixels=settings.max_pixels, max_bytes=settings.max_file_bytes))


async def _stored(query: Query, stored: str, parts: Parts, marked: Collection[int]) -> dict[int, Vector]:
    """The vectors of the items that the query names."""
    wanted = sorted(query.named_ids)
    if not wanted:
        return {}
    found = await parts.store.retrieve(stored, wanted, vectors=True)
    missing = [one for one in wanted if one not in found and one not in marked]
    if missing:
        raise ItemNotFound(f"no item {missing[0]}", field="query")
    return {one: np.frombuffer(point.vector or b"", dtype="<f4") for one, point in found.items()}
