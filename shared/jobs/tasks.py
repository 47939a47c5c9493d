"""What every other job asks for, and all of them as one union."""

from typing import Annotated, Literal

import msgspec

from shared.filter_check import FieldType
from shared.filters import Filter
from shared.jobs.names import DEFAULT_ORDER, ORDERED, Around, FacetFields, FacetLimit, ItemId, Kind, Name, Payload
from shared.jobs.results import Skipped
from shared.jobs.search import Body, Search


class File(Body, frozen=True):
    """One picture to ingest: by `path` where the workers see it, in the upload's spool, or by `hash` alone to ask."""

    source: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]
    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)] | None = None
    hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")] | None = None
    payload: Payload | None = None


# Seconds between two pictures of a video; 0: one of each shot.
StepS = Annotated[float, msgspec.Meta(ge=0, le=3_600)]
Files = Annotated[list[File], msgspec.Meta(min_length=1, max_length=1_000)]


class Ingest(Body, frozen=True, tag_field="kind", tag="ingest"):
    """Index pictures and videos. Paths are absolute (by reference), or relative to the spool folder of an upload.

    Without `video_step_s` the worker's setting holds.
    """

    collection: Name
    files: Files
    spool: str | None = None
    rejected: list[Skipped] = msgspec.field(default_factory=list)
    video_step_s: StepS | None = None


class CollectionSpec(Body, frozen=True):
    """What a collection is made with; `payload` names its filterable fields.

    Within a group items stand in the order of `order_field`; unless it is said, that is an integer at `position`.
    `model_name` is the model of the fleet that encodes it; unless it is said, a new collection gets the default one.
    """

    group_field: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    order_field: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    payload: Annotated[dict[str, FieldType], msgspec.Meta(max_length=64)] = msgspec.field(default_factory=dict)
    model_name: Name | None = None

    def __post_init__(self) -> None:
        if self.group_field is None and self.order_field is not None:
            raise ValueError("an order_field needs a group_field")
        order = self.order_field or DEFAULT_ORDER
        if self.group_field is not None and self.payload.get(order, "integer") not in ORDERED:
            raise ValueError(f"items cannot be ordered by {order!r}: it is no {', '.join(ORDERED)}")


class CollectionTask(Body, frozen=True, tag_field="kind", tag="collection"):
    """Create, drop or describe a collection."""

    op: Literal["create", "drop", "describe"]
    collection: Name
    spec: CollectionSpec | None = None


class Reindex(Body, frozen=True, tag_field="kind", tag="reindex"):
    """Encode a collection's pictures anew beside it, with its model as it is now or with the one that `model_name`
    says, and let that take its place.

    `leave_out`: also when some pictures can no longer be read, which are gone from it then.
    """

    collection: Name
    leave_out: bool = False
    model_name: Name | None = None


class Items(Body, frozen=True, tag_field="kind", tag="items"):
    """Read stored items."""

    collection: Name
    ids: Annotated[list[ItemId], msgspec.Meta(min_length=1, max_length=1_000)]


class Facets(Body, frozen=True, tag_field="kind", tag="facets"):
    """Count the values of some fields among the items that pass a filter."""

    collection: Name
    fields: FacetFields
    filter: Filter | None = None
    limit: FacetLimit = 20


class Neighbours(Body, frozen=True, tag_field="kind", tag="neighbours"):
    """Read what stands before and after an item in its group."""

    collection: Name
    id: ItemId
    before: Around = 3
    after: Around = 3


Job = Search | Ingest | CollectionTask | Items | Facets | Neighbours | Reindex


def kind_of(job: Job) -> Kind:
    kind: Kind = job.__struct_config__.tag  # type: ignore[assignment]
    return kind
