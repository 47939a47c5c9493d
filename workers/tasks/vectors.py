"""From a query's parts to what the store is asked for."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from shared.errors import BadPicture, ItemNotFound
from shared.jobs import Lane, Query, WeightedText
from workers import feedback
from workers.encoding import Embedded
from workers.feedback import Matrix, Vector, unit
from workers.ingest.decode import decode
from workers.parts import Parts

Told = Callable[[], None] | None

# Of examples that are compared one by one, so many of each kind count, the last ones: each costs a search its time.
MAX_COMPARED = 64


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """What to search for: the unit vector, (dim,), or vectors to compare, (n, dim), as `VectorQuery` has them.

    `truncated`: the model cut a text.
    """

    vector: Vector
    positive: Matrix
    negative: Matrix
    truncated: bool = False


async def aim_of(
    query: Query,
    *,
    stored: str,
    lane: Lane,
    parts: Parts,
    on_device: Told = None,
    marked: Collection[int] = (),
) -> Aim:
    """All parts of a query combined. Raises BadPicture, ItemNotFound.

    `on_device` is called, from the device's thread, when the device takes a part of the query. Of the examples,
    `marked` are those that may be gone meanwhile: a mark must not break every search of its session.
    """
    if query.text is not None and not query.texts and query.image is None and not query.named_ids:
        # Most queries: nothing to do beside it, so no tasks to make.
        alone = await _text(query.text, lane, parts, on_device)
        none = np.zeros((0, len(alone.vector)), dtype=np.float32)
        return Aim(vector=alone.vector, positive=none, negative=none, truncated=alone.truncated)
    texts, picture, examples = await asyncio.gather(
        _texts(query, lane, parts, on_device),
        _picture(query, lane, parts, on_device),
        _stored(query, stored, parts, marked),
    )
    own = np.zeros(parts.encoder.info.dim, dtype=np.float32)
    for weight, embedded in texts:
        own = own + weight * embedded.vector
    if picture is not None:
        own = own + picture
    if query.item is not None:
        own = own + examples[query.item]
    truncated = any(embedded.truncated for _, embedded in texts)
    positive, negative = (_rows(ids, examples, like=own) for ids in (query.positive, query.negative))
    if query.feedback == "recommend" and len(positive):
        compared = led(positive[-MAX_COMPARED:], own)
        return Aim(vector=unit(own), positive=compared, negative=negative[-MAX_COMPARED:], truncated=truncated)
    vector = await _turned(query, own, positive, negative, stored=stored, parts=parts)
    return Aim(vector=unit(vector), positive=positive[:0], negative=negative[:0], truncated=truncated)


async def _turned(
    query: Query, own: Vector, positive: Matrix, negative: Matrix, *, stored: str, parts: Parts
) -> Vector:
    if query.feedback != "classifier" or not len(positive):
        return feedback.rocchio(own, positive, negative)
    background = await parts.backgrounds.of(stored, dim=len(own))
    return await parts.fitting.run(feedback.classifier, unit(own), positive, negative, background)


def led(positive: Matrix, own: Vector) -> Matrix:
    """Examples are compared one by one, so what the query says itself is added to each of the good ones."""
    return np.stack([unit(row + unit(own)) for row in positive])


def _rows(ids: Sequence[int], examples: dict[int, Vector], *, like: Vector) -> Matrix:
    there = [examples[one] for one in ids if one in examples]
    return np.stack(there) if there else np.zeros((0, len(like)), dtype=np.float32)


async def _texts(query: Query, lane: Lane, parts: Parts, on_device: Told) -> list[tuple[float, Embedded]]:
    """Each text's weight and vector."""
    texts = [] if query.text is None else [WeightedText(text=query.text)]
    texts += query.texts
    embedded = await asyncio.gather(*(_text(one.text, lane, parts, on_device) for one in texts))
    return [(one.weight, vector) for one, vector in zip(texts, embedded, strict=True)]


async def _text(text: str, lane: Lane, parts: Parts, on_device: Told) -> Embedded:
    asked_ns = time.time_ns()
    embedded = await parts.texts.vector(text, lane=lane, started=on_device)
    _tell(parts, embedded, asked_ns)
    return embedded


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
