"""Payloads of hits that were found without them."""

from collections.abc import Mapping, Sequence

import msgspec

from workers.stores.protocol import Answer, Scored, StoredPoint, VectorQuery


def lacking(queries: Sequence[VectorQuery], answers: Sequence[Answer]) -> list[int]:
    """The ids whose payloads were asked for and did not come along."""
    return [
        hit.id
        for query, answer in zip(queries, answers, strict=True)
        if query.payload
        for hit in answer
        if hit.payload is None
    ]


def filled(
    queries: Sequence[VectorQuery], answers: Sequence[Answer], points: Mapping[int, StoredPoint]
) -> list[Answer]:
    """The answers with those payloads; a point that was deleted meanwhile keeps an empty one."""
    return [
        msgspec.structs.replace(answer, hits=[_filled(hit, points) for hit in answer]) if query.payload else answer
        for query, answer in zip(queries, answers, strict=True)
    ]


def _filled(hit: Scored, points: Mapping[int, StoredPoint]) -> Scored:
    if hit.payload is not None:
        return hit
    return msgspec.structs.replace(hit, payload=points[hit.id].payload if hit.id in points else {})
