"""Collections and what is in them."""

from api import params
from api.collections import CollectionList, ReindexRequest
from api.facets import FacetsRequest
from api.items import IngestRequest
from api.operations.operation import (
    ADMISSION,
    BODY,
    ENDED,
    ENQUEUED,
    IDEMPOTENT,
    JSON,
    MULTIPART,
    READING,
    WRITING,
    Operation,
    Plain,
    Upload,
)
from api.submission import Accepted
from shared import errors
from shared.jobs import Collection, CollectionSpec, FacetsResult, Item, NeighboursResult
from shared.media import CONTENT_TYPES

COLLECTIONS: tuple[Operation, ...] = (
    Operation(
        method="get",
        path="/v1/collections",
        summary="All collections",
        tag="collections",
        answers={200: CollectionList},
        errors=READING,
    ),
    Operation(
        method="get",
        path="/v1/collections/{name}",
        summary="One collection",
        tag="collections",
        answers={200: Collection},
        errors=(*READING, errors.CollectionNotFound),
    ),
    Operation(
        method="put",
        path="/v1/collections/{name}",
        summary="Create a collection: 201; 200 when it is there already; 202 when no worker did it yet",
        tag="collections",
        body={JSON: CollectionSpec},
        body_required=False,
        answers={201: Collection, 200: Collection, 202: Accepted},
        errors=(*WRITING, *BODY, *ENDED, errors.CollectionDiffers, errors.CollectionNotFound),
    ),
    Operation(
        method="delete",
        path="/v1/collections/{name}",
        summary="Drop a collection with everything in it; 202 when no worker did it yet",
        tag="collections",
        answers={204: None, 202: Accepted},
        errors=(*WRITING, *ENDED, errors.CollectionNotFound),
    ),
    Operation(
        method="post",
        path="/v1/collections/{name}/reindex",
        summary="Encode a collection's pictures anew, with its model or another, while it is searched",
        tag="collections",
        params=params.WaitParams,
        body={JSON: ReindexRequest},
        body_required=False,
        answers=ENQUEUED,
        errors=(*WRITING, *BODY, *ADMISSION, errors.CollectionNotFound, errors.ModelMismatch, errors.KeyReused),
        headers=IDEMPOTENT,
    ),
    Operation(
        method="post",
        path="/v1/collections/{name}/items",
        summary="Add pictures and videos: by upload, or by reference to files that the workers see",
        tag="collections",
        params=params.IngestParams,
        body={MULTIPART: Upload, JSON: IngestRequest},
        answers=ENQUEUED,
        errors=(
            *WRITING,
            *BODY,
            *ADMISSION,
            errors.CollectionNotFound,
            errors.ModelMismatch,
            errors.PictureTooLarge,
            errors.VideoTooLarge,
            errors.KeyReused,
        ),
        headers=IDEMPOTENT,
    ),
    Operation(
        method="get",
        path="/v1/collections/{name}/items/{item_id}",
        summary="One item: its payload, and of a video the moment that it shows",
        tag="collections",
        answers={200: Item},
        errors=(*READING, *ENDED, errors.CollectionNotFound, errors.ItemNotFound),
    ),
    Operation(
        method="get",
        path="/v1/collections/{name}/items/{item_id}/neighbours",
        summary="What stands before and after an item in its group",
        tag="collections",
        params=params.NeighboursParams,
        answers={200: NeighboursResult},
        errors=(*READING, *ENDED, errors.CollectionNotFound, errors.ItemNotFound),
    ),
    Operation(
        method="post",
        path="/v1/collections/{name}/facets",
        summary="How many items have which values, under a filter",
        tag="collections",
        body={JSON: FacetsRequest},
        answers={200: FacetsResult},
        errors=(*READING, *BODY, *ENDED, errors.CollectionNotFound),
    ),
    Operation(
        method="get",
        path="/v1/collections/{name}/items/{item_id}/media",
        summary="One item's picture",
        tag="collections",
        params=params.MediaParams,
        answers={200: Plain("the picture", tuple(CONTENT_TYPES.values())), 304: None},
        errors=(errors.Invalid, errors.ItemNotFound),
    ),
)
