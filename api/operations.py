"""What every route takes and answers, for the OpenAPI document."""

from typing import Any

import msgspec

from api import params
from api.collections import CollectionList, ReindexRequest
from api.facets import FacetsRequest
from api.health import Alive, Ready
from api.insight import Caller, StateCounts
from api.items import IngestRequest
from api.lanes import LaneView
from api.operators import QueueList, WorkerList
from api.sessions import NewSession
from api.submission import Accepted
from shared import errors
from shared.archive import Archive
from shared.audit import AuditPage
from shared.errors import CliplineError
from shared.history import SessionHistory
from shared.jobs import Collection, CollectionSpec, FacetsResult, Item, JobView, NeighboursResult, Search
from shared.ledger import Page
from shared.marks import Joining, Marked, Marks, Seat, SessionView, Step
from shared.requests import JobRequest
from shared.selection import Sweep, Swept
from shared.statistics import Statistics
from shared.usage import TenantPage

Error = type[CliplineError]

JSON = "application/json"
MULTIPART = "multipart/form-data"


class Plain(msgspec.Struct, frozen=True):
    """An answer that is no JSON."""

    media_type: str
    text: str


class Upload(msgspec.Struct, frozen=True):
    """Described by hand in the document: JSON schema has no word for a file."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `answers` maps a status to its type; `errors` are those beyond what all may give."""

    method: str
    path: str
    summary: str
    tag: str
    params: type[msgspec.Struct] = params.NoParams
    body: dict[str, Any] = {}
    body_required: bool = True
    answers: dict[int, Any]
    errors: tuple[Error, ...] = ()
    headers: tuple[str, ...] = ()
    open: bool = False


READING: tuple[Error, ...] = (errors.Invalid, errors.QueueAway)
WRITING: tuple[Error, ...] = (*READING, errors.Forbidden)
BODY: tuple[Error, ...] = (errors.BadRequest, errors.RequestTimeout, errors.TooLarge, errors.UnsupportedMediaType)
ENQUEUED = {202: Accepted, 200: JobView}
ADMISSION: tuple[Error, ...] = (errors.QueueFull, errors.TenantBusy, errors.RateLimited)
IDEMPOTENT = ("Idempotency-Key",)
OF_SESSION: tuple[Error, ...] = (*READING, errors.SessionNotFound)
# A job that a route waits for may have ended for any of these.
ENDED: tuple[Error, ...] = (errors.InternalError, errors.Expired, errors.ModelMismatch)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="post",
        path="/v1/search",
        summary="Enqueue a search; with `wait`, answer when it ended",
        tag="search",
        params=params.WaitParams,
        body={JSON: Search},
        answers=ENQUEUED,
        errors=(
            *READING,
            *BODY,
            errors.CollectionNotFound,
            errors.SessionNotFound,
            errors.NothingToContinue,
            errors.BadPicture,
            errors.KeyReused,
            *ADMISSION,
        ),
        headers=IDEMPOTENT,
    ),
    Operation(
        method="get",
        path="/v1/jobs",
        summary="Jobs, newest first, without results",
        tag="jobs",
        params=params.JobsParams,
        answers={200: Page},
        errors=WRITING,
    ),
    Operation(
        method="get",
        path="/v1/jobs/{job_id}",
        summary="One job; with `wait`, when it ended",
        tag="jobs",
        params=params.JobParams,
        answers={200: JobView},
        errors=(*WRITING, errors.JobNotFound),
    ),
    Operation(
        method="get",
        path="/v1/jobs/{job_id}/request",
        summary="What a job was asked to do, as long as that is kept",
        tag="jobs",
        params=params.TenantParams,
        answers={200: JobRequest},
        errors=(*WRITING, errors.JobNotFound),
    ),
    Operation(
        method="get",
        path="/v1/jobs/states",
        summary="How many jobs are in each state",
        tag="jobs",
        params=params.CountParams,
        answers={200: StateCounts},
        errors=WRITING,
    ),
    Operation(
        method="delete",
        path="/v1/jobs/{job_id}",
        summary="Cancel a job: 200 when done, 202 when a worker is still to be told",
        tag="jobs",
        answers={200: JobView, 202: JobView},
        errors=(*WRITING, errors.JobNotFound, errors.JobFinished),
    ),
    Operation(
        method="get",
        path="/v1/jobs/{job_id}/events",
        summary="One job's events as they happen, up to its result; resumes after Last-Event-ID",
        tag="jobs",
        answers={200: Plain("text/event-stream", "Events with the websocket's frames as data"), 204: None},
        errors=(*READING, errors.JobNotFound, errors.TooManyRequests),
        headers=("Last-Event-ID",),
    ),
    Operation(
        method="post",
        path="/v1/jobs/{job_id}/retry",
        summary="Run an ended job again under its id",
        tag="jobs",
        params=params.WaitParams,
        answers=ENQUEUED,
        errors=(*WRITING, errors.JobNotFound, errors.JobNotRetryable),
    ),
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
        summary="Encode a collection's pictures anew with the workers' model, while it is searched",
        tag="collections",
        params=params.WaitParams,
        body={JSON: ReindexRequest},
        body_required=False,
        answers=ENQUEUED,
        errors=(*WRITING, *BODY, *ADMISSION, errors.CollectionNotFound, errors.KeyReused),
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
        answers={200: Plain("image/webp", "the picture"), 304: None},
        errors=(errors.Invalid, errors.ItemNotFound),
    ),
    Operation(
        method="post",
        path="/v1/sessions",
        summary="A session for clients without a websocket",
        tag="sessions",
        answers={201: NewSession},
        errors=READING,
    ),
    Operation(
        method="get",
        path="/v1/sessions/{session}",
        summary="A session; with `collection`, what it holds there",
        tag="sessions",
        params=params.SessionParams,
        answers={200: SessionView},
        errors=OF_SESSION,
    ),
    Operation(
        method="put",
        path="/v1/sessions/{session}",
        summary="Let a session hold what a document says, in the collections that it names",
        tag="sessions",
        body={JSON: Archive},
        answers={200: SessionView},
        errors=(*OF_SESSION, *BODY, errors.CollectionNotFound, errors.SessionFull),
    ),
    Operation(
        method="get",
        path="/v1/sessions/{session}/export",
        summary="Everything that a session holds, as one document",
        tag="sessions",
        answers={200: Archive},
        errors=OF_SESSION,
    ),
    Operation(
        method="post",
        path="/v1/sessions/import",
        summary="A new session that holds what such a document says",
        tag="sessions",
        body={JSON: Archive},
        answers={201: NewSession},
        errors=(*READING, *BODY, errors.CollectionNotFound, errors.SessionFull),
    ),
    Operation(
        method="post",
        path="/v1/sessions/{session}/members",
        summary="Join a session as a member of its team: a session of one's own that shares its marks",
        tag="sessions",
        body={JSON: Joining},
        answers={201: Seat, 200: Seat},
        errors=(*OF_SESSION, *BODY, errors.SessionFull),
    ),
    Operation(
        method="get",
        path="/v1/sessions/{session}/history",
        summary="What a session asked, newest first",
        tag="sessions",
        params=params.HistoryParams,
        answers={200: SessionHistory},
        errors=OF_SESSION,
    ),
    Operation(
        method="post",
        path="/v1/sessions/{session}/marks",
        summary="Change what a session holds: seen, excluded, positive and negative items, excluded groups",
        tag="sessions",
        body={JSON: Marks},
        answers={200: Marked},
        errors=(*OF_SESSION, *BODY, errors.CollectionNotFound, errors.SessionFull),
    ),
    *(
        Operation(
            method="post",
            path=f"/v1/sessions/{{session}}/{verb}",
            summary=summary,
            tag="sessions",
            body={JSON: Step},
            answers={200: Marked},
            errors=(*OF_SESSION, *BODY, errors.NothingToUndo, errors.SessionFull),
            headers=IDEMPOTENT,
        )
        for verb, summary in (
            ("undo", "Take back the last change of what a session holds"),
            ("redo", "Do again what was taken back last"),
        )
    ),
    Operation(
        method="get",
        path="/v1/workers",
        summary="Live workers",
        tag="operators",
        answers={200: WorkerList},
        errors=WRITING,
    ),
    Operation(
        method="get",
        path="/v1/queues",
        summary="What waits and runs in each lane",
        tag="operators",
        answers={200: QueueList},
        errors=WRITING,
    ),
    Operation(
        method="post",
        path="/v1/queues/{name}/pause",
        summary="Accept jobs, hand out none",
        tag="operators",
        answers={200: LaneView},
        errors=(*WRITING, errors.LaneNotFound),
    ),
    Operation(
        method="post",
        path="/v1/queues/{name}/resume",
        summary="Hand out jobs again",
        tag="operators",
        answers={200: LaneView},
        errors=(*WRITING, errors.LaneNotFound),
    ),
    Operation(
        method="post",
        path="/v1/workers/{worker_id}/drain",
        summary="Let a worker finish or hand back its jobs, and end",
        tag="operators",
        answers={202: None},
        errors=(*WRITING, errors.WorkerNotFound),
    ),
    *(
        Operation(
            method="post",
            path=f"/v1/jobs/{verb}",
            summary=summary,
            tag="operators",
            body={JSON: Sweep},
            answers={200: Swept},
            errors=(*WRITING, *BODY),
        )
        for verb, summary in (
            ("cancel", "Cancel the jobs that pass a filter"),
            ("replay", "Run the ended jobs that pass a filter again"),
            ("purge", "Forget the ended jobs that pass a filter"),
        )
    ),
    Operation(
        method="get",
        path="/v1/audit",
        summary="What operators did, newest first",
        tag="operators",
        params=params.AuditParams,
        answers={200: AuditPage},
        errors=WRITING,
    ),
    Operation(
        method="get",
        path="/v1/statistics",
        summary="Lanes and workers over a span of time: rates, waits, runs, errors, use of the devices",
        tag="operators",
        params=params.SpanParams,
        answers={200: Statistics},
        errors=WRITING,
    ),
    Operation(
        method="get",
        path="/v1/tenants",
        summary="What tenants use, beside what they may",
        tag="operators",
        params=params.TenantsParams,
        answers={200: TenantPage},
        errors=WRITING,
    ),
    Operation(
        method="get",
        path="/v1/caller",
        summary="Whose key this is, and what it allows",
        tag="operators",
        answers={200: Caller},
        errors=READING,
    ),
    Operation(method="get", path="/healthz", summary="Alive", tag="probes", answers={200: Alive}, open=True),
    Operation(
        method="get",
        path="/readyz",
        summary="Ready for work: Redis answers and has memory left, lanes have room, workers live",
        tag="probes",
        answers={200: Ready, 503: Ready},
        open=True,
    ),
    Operation(
        method="get",
        path="/metrics",
        summary="Prometheus metrics",
        tag="probes",
        answers={200: Plain("text/plain", "Prometheus' text format")},
        open=True,
    ),
)
