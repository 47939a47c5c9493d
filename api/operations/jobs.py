"""Searches, and jobs of any kind."""

from api import params
from api.insight import StateCounts
from api.operations.operation import (
    ADMISSION,
    BODY,
    ENQUEUED,
    IDEMPOTENT,
    JSON,
    READING,
    WRITING,
    Operation,
    Plain,
)
from shared import errors
from shared.jobs import JobView, Search
from shared.ledger import Page
from shared.requests import JobRequest

JOBS: tuple[Operation, ...] = (
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
            errors.ModelMismatch,
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
        answers={200: Plain("Events with the websocket's frames as data", ("text/event-stream",)), 204: None},
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
)
