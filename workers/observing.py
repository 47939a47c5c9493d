"""What is told of each run of a job: how long it waited and ran, how it ended, and the span that says so."""

from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from shared.jobs import Kind
from shared.problems import problem_of
from shared.trace_context import follow
from workers.parts import Parts
from workers.tasks.call import Call


@contextmanager
def observed(kind: Kind, call: Call, parts: Parts, *, lane: str, parent: str | None) -> Iterator[None]:
    """Around one run; `parent` is the traceparent of whoever submitted the job."""
    began, outcome = perf_counter(), "succeeded"
    parts.metrics.waited(kind, lane, call.queued_ms / 1000)
    parts.tracing.past("wait in the queue", began_ns=call.due_ms * 1_000_000, parent=parent)
    try:
        with parts.tracing.span(f"run {kind}", role="consumer", parent=parent) as span:
            # What ends the job comes after this span, in the same task.
            follow(span.traceparent)
            span.note(clipline__job__id=call.job_id, clipline__tenant=call.tenant, clipline__attempt=call.attempt)
            yield
    except BaseException as error:
        outcome = outcome_of(error)
        raise
    finally:
        parts.metrics.ran(kind, outcome, perf_counter() - began)


def outcome_of(error: BaseException) -> str:
    """One of few words: the types of problems, and stopped."""
    return "stopped" if isinstance(error, CancelledError) else problem_of(error).type
