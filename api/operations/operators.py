"""What operators see and do, and the probes of those who watch from outside."""

from api import params
from api.health import Alive, Ready
from api.insight import Caller
from api.lanes import LaneView
from api.operations.operation import (
    BODY,
    JSON,
    READING,
    WRITING,
    Operation,
    Plain,
)
from api.operators import QueueList, WorkerList
from shared import errors
from shared.audit import AuditPage
from shared.selection import Sweep, Swept
from shared.statistics import Statistics
from shared.usage import TenantPage

OPERATORS: tuple[Operation, ...] = (
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
        answers={200: Plain("Prometheus' text format", ("text/plain",))},
        open=True,
    ),
)
