"""Queries, filters and answers in the types of Qdrant's client."""

from typing import Any

import msgspec
from qdrant_client import models

from shared.filters import GeoBox, GeoPoint, TextMatch
from shared.jobs import FacetValue
from shared.payload_path import path_of
from workers.stores import conditions
from workers.stores.checks import floats, packed
from workers.stores.plan import Plan
from workers.stores.protocol import OrderQuery, Point, Scored, StoredPoint, VectorQuery

INDEX_TYPES = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
    "datetime": models.PayloadSchemaType.DATETIME,
    "geo": models.PayloadSchemaType.GEO,
    "text": models.PayloadSchemaType.TEXT,
}


def _words(match: TextMatch) -> Any:
    if match.text is not None:
        return models.MatchText(text=match.text)
    return models.MatchTextAny(text_any=match.text_any or "")


def _point(at: GeoPoint) -> models.GeoPoint:
    return models.GeoPoint(lon=at.lon, lat=at.lat)


def _box(box: GeoBox) -> models.GeoBoundingBox:
    return models.GeoBoundingBox(top_left=_point(box.top_left), bottom_right=_point(box.bottom_right))


def _field_at(key: str) -> models.PayloadField:
    return models.PayloadField(key=key)


def _nested(key: str, inner: models.Filter) -> models.NestedCondition:
    return models.NestedCondition(nested=models.Nested(key=key, filter=inner))


DIALECT = conditions.Dialect(
    filter=models.Filter,
    field=models.FieldCondition,
    value=lambda value: models.MatchValue(value=value),
    any_of=lambda values: models.MatchAny(any=list(values)),  # type: ignore[arg-type]
    words=_words,
    numbers=models.Range,
    moments=models.DatetimeRange,
    radius=lambda circle: models.GeoRadius(center=_point(circle.center), radius=circle.radius),
    box=_box,
    empty=lambda key: models.IsEmptyCondition(is_empty=_field_at(key)),
    null=lambda key: models.IsNullCondition(is_null=_field_at(key)),
    nested=_nested,
    has_id=lambda ids: models.HasIdCondition(has_id=list(ids)),
)


def batch(points: list[Point], *, dim: int) -> models.Batch:
    """Column by column: one object instead of one for each point."""
    return models.Batch(
        ids=[point.id for point in points],
        vectors=[floats(point.vector, dim=dim) for point in points],
        payloads=[point.payload for point in points],
    )


def narrowing(query: VectorQuery) -> models.Filter | None:
    """The query's filter without its excluded ids, or None."""
    where: models.Filter | None = conditions.build(msgspec.structs.replace(query, exclude_ids=()), DIALECT)
    return where


def request(query: VectorQuery, chosen: Plan | None, *, dim: int) -> models.QueryRequest:
    return models.QueryRequest(
        query=_query(query, dim=dim),
        limit=query.limit,
        filter=conditions.build(query, DIALECT),
        with_payload=query.payload,
        params=None if chosen is None else _params(chosen, query.limit),
    )


def _query(query: VectorQuery, *, dim: int) -> models.RecommendQuery | list[float]:
    if not query.positive:
        return floats(query.vector, dim=dim)
    positive, negative = ([floats(one, dim=dim) for one in some] for some in (query.positive, query.negative))
    best = models.RecommendStrategy.BEST_SCORE
    return models.RecommendQuery(
        recommend=models.RecommendInput(positive=positive, negative=negative, strategy=best)  # type: ignore[arg-type]
    )


def _params(chosen: Plan, limit: int) -> models.SearchParams:
    """As in the embedded store: all candidates of a quantised graph are compared by their full vectors."""
    acorn = models.AcornSearchParams(enable=True, max_selectivity=1.0) if chosen.acorn else None
    oversampling = chosen.oversampling(limit)
    rescored = models.QuantizationSearchParams(rescore=True, oversampling=oversampling) if oversampling else None
    return models.SearchParams(exact=chosen.exact, hnsw_ef=chosen.ef, acorn=acorn, quantization=rescored)


def facet_value(hit: models.FacetValueHit) -> FacetValue:
    return FacetValue(value=hit.value, count=hit.count)


def order_by(query: OrderQuery) -> models.OrderBy:
    direction = models.Direction.DESC if query.descending else models.Direction.ASC
    return models.OrderBy(key=path_of(query.order), direction=direction)


def stored(record: Any, *, vectors: bool) -> StoredPoint:
    """Of a `Record`; its vector's type spans every kind that Qdrant knows, ours is always one list."""
    return StoredPoint(id=record.id, payload=record.payload or {}, vector=packed(record.vector) if vectors else None)


def scored(hit: Any) -> Scored:
    return Scored(id=hit.id, score=hit.score, payload=hit.payload)
