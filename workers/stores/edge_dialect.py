"""Queries, filters and answers in Qdrant Edge's own types."""

from typing import Any

import msgspec
import numpy as np
import qdrant_edge as edge

from shared.errors import Invalid
from shared.filters import GeoBox, GeoPoint, Scalar, TextMatch
from shared.jobs import FacetValue
from shared.payload_path import path_of
from workers.stores import conditions
from workers.stores.checks import floats, packed
from workers.stores.edge_folder import FULL, SCANNED, Description
from workers.stores.plan import Plan
from workers.stores.protocol import FacetQuery, OrderQuery, Point, Scored, StoredPoint, VectorQuery

EVERY = edge.SearchParams(exact=True)
# Where there is no graph that is past every vector, too, by the smallest copies that there are.
COARSELY = edge.SearchParams(quantization=edge.QuantizationSearchParams(rescore=False))


def point(given: Point, about: Description) -> edge.Point:
    """Raises Invalid for a vector or a payload that cannot be stored."""
    vector = floats(given.vector, dim=about.dim)
    try:
        return edge.Point(given.id, vectors(vector, about), given.payload)
    except (TypeError, ValueError) as error:
        raise Invalid(f"the payload of {given.id} cannot be stored: {error}"[:300], field="payload") from error


def vectors(vector: list[float], about: Description) -> "edge.Vector":
    """One vector under each name that a collection's points have."""
    return {FULL: vector, SCANNED: vector} if about.scan_copies else vector


def request(query: VectorQuery, chosen: Plan, *, dim: int, narrowed: "edge.Filter | None" = None) -> edge.QueryRequest:
    """`narrowed` is `narrowing(query)`, if that is at hand."""
    where = conditions.build(query, DIALECT) if narrowed is None or query.exclude_ids else narrowed
    if chosen.rescored is not None:
        return _scan(query, chosen, where, dim=dim)
    return edge.QueryRequest(
        limit=query.limit,
        query=nearest(query, dim=dim),
        filter=where,
        with_payload=query.payload,
        params=_params(chosen, query.limit),
    )


def _scan(query: VectorQuery, chosen: Plan, where: edge.Filter | None, *, dim: int) -> edge.QueryRequest:
    """Past small copies; the best of them are compared again by their full vectors."""
    copies = edge.Prefetch(
        limit=chosen.rescored or 0,
        query=nearest(query, dim=dim, using=SCANNED),
        filter=where,
        params=COARSELY if chosen.coarse else EVERY,
    )
    return edge.QueryRequest(
        limit=query.limit,
        query=nearest(query, dim=dim),
        prefetches=[copies],
        with_payload=query.payload,
        params=EVERY,
    )


def _params(chosen: Plan, limit: int) -> edge.SearchParams:
    """All candidates of a quantised graph are compared by their full vectors; other graphs have nothing to rescore."""
    oversampling = chosen.oversampling(limit)
    return edge.SearchParams(
        hnsw_ef=chosen.ef,
        exact=chosen.exact,
        acorn=edge.AcornSearchParams(enable=True, max_selectivity=1.0) if chosen.acorn else None,
        quantization=edge.QuantizationSearchParams(rescore=True, oversampling=oversampling) if oversampling else None,
    )


def narrowing(query: VectorQuery) -> edge.Filter | None:
    """The query's filter without its excluded ids, or None."""
    where: edge.Filter | None = conditions.build(msgspec.structs.replace(query, exclude_ids=()), DIALECT)
    return where


def nearest(query: VectorQuery, *, dim: int, using: str = FULL) -> edge.Query:
    """To the query's vector or its examples, compared with the points' vectors of that name."""
    if not query.positive:
        return edge.Query.Nearest(floats(query.vector, dim=dim), using)
    positive, negative = ([floats(one, dim=dim) for one in some] for some in (query.positive, query.negative))
    return edge.Query.RecommendBestScore(edge.RecommendQuery(positive, negative), using)  # type: ignore[arg-type]


def sample_request(limit: int) -> edge.QueryRequest:
    return edge.QueryRequest(limit=limit, query=edge.Sample.Random, with_vector=[FULL], with_payload=False)


def stored(record: edge.Record | edge.ScoredPoint, *, vectors: bool) -> StoredPoint:
    vector = packed(record.vector) if vectors else None  # type: ignore[arg-type]
    return StoredPoint(id=int(record.id), payload=record.payload or {}, vector=vector)


def scored(hit: edge.ScoredPoint) -> Scored:
    return Scored(id=int(hit.id), score=hit.score, payload=hit.payload)


def facet_request(query: FacetQuery) -> edge.FacetRequest:
    where = conditions.build_filter(query.filter, DIALECT)
    return edge.FacetRequest(path_of(query.field), query.limit, exact=True, filter=where)


def facet_value(hit: edge.FacetHit) -> FacetValue:
    return FacetValue(value=hit.value, count=hit.count)


def order_request(query: OrderQuery) -> edge.ScrollRequest:
    direction = edge.Direction.Desc if query.descending else edge.Direction.Asc
    return edge.ScrollRequest(
        limit=query.limit,
        filter=conditions.build_filter(query.filter, DIALECT),
        with_payload=True,
        order_by=edge.OrderBy(path_of(query.order), direction),
    )


def _value(value: Scalar) -> edge.MatchValue:
    """Edge 0.9 reads a Python bool as the integer 1 or 0; only NumPy's reaches it as a bool."""
    if not isinstance(value, bool):
        return edge.MatchValue(value)
    return edge.MatchValue(np.bool_(value))  # type: ignore[arg-type]


def _words(match: TextMatch) -> Any:
    return edge.MatchText(match.text) if match.text is not None else edge.MatchTextAny(match.text_any or "")


def _point(at: GeoPoint) -> edge.GeoPoint:
    return edge.GeoPoint(at.lon, at.lat)


def _box(box: GeoBox) -> edge.GeoBoundingBox:
    return edge.GeoBoundingBox(_point(box.top_left), _point(box.bottom_right))


DIALECT = conditions.Dialect(
    filter=edge.Filter,
    field=edge.FieldCondition,
    value=_value,
    any_of=lambda values: edge.MatchAny(list(values)),  # type: ignore[arg-type]
    words=_words,
    numbers=edge.RangeFloat,
    moments=edge.RangeDateTime,
    radius=lambda circle: edge.GeoRadius(_point(circle.center), circle.radius),
    box=_box,
    empty=edge.IsEmptyCondition,
    null=edge.IsNullCondition,
    nested=edge.NestedCondition,
    has_id=lambda ids: edge.HasIdCondition(set(ids)),
)
