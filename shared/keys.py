"""Every Redis key that Clipline writes; arq's own names are repeated here because our scripts write them too."""

from typing import Literal

from shared.jobs import State

# arq 0.28, constants.py
ARQ_JOB = "arq:job:"
ARQ_RESULT = "arq:result:"
ARQ_RETRY = "arq:retry:"
ARQ_LEASE = "arq:in-progress:"

PREFIX = "clipline:"
EVENTS = PREFIX + "events"
EPOCH = PREFIX + "epoch"
CONTROL = PREFIX + "control"
STAGES = PREFIX + "stages"
WORKERS = PREFIX + "workers"
AUDIT = PREFIX + "audit"
TENANTS = PREFIX + "tenants"
# Hash of the accountant: how far it has read the events, and what it may say of them.
ACCOUNT = PREFIX + "account"
# Sorted set of the texts' vectors that are kept: the vector's name → when it was written, in microseconds.
VECTORS = PREFIX + "vectors"


def queue(lane: str) -> str:
    """The sorted set that arq calls the queue: job id → its place.

    A job that waits has a virtual start tag (a small number), one that may not run yet the millisecond from which it
    may, one that runs the millisecond at which its lease ends.
    """
    return f"{PREFIX}queue:{lane}"


def lane(name: str) -> str:
    """Hash of a lane: `paused`. Beside it `:finish`, the tenants' finish tags of fair queueing and the virtual time."""
    return f"{PREFIX}lane:{name}"


def wake(name: str) -> str:
    """List of tokens, one for each job that came: idle workers block on it."""
    return f"{PREFIX}wake:{name}"


def lane_jobs(name: str, state: Literal["queued", "running"]) -> str:
    """Sorted set of what waits or runs in a lane: job id → since when, in milliseconds."""
    return f"{lane(name)}:{state}"


def record(job_id: str) -> str:
    """The ledger's hash of one job; its `tenant` field is checked on every read."""
    return f"{PREFIX}job:{job_id}"


def blob(job_id: str) -> str:
    """A picture that came with a search; kept out of the body, which arq copies into results."""
    return f"{PREFIX}blob:{job_id}"


def kept_body(job_id: str) -> str:
    """The body of a job that ended: to run it again, or, as long as its result is kept, to look at."""
    return f"{PREFIX}body:{job_id}"


def worker(worker_id: str) -> str:
    return f"{PREFIX}worker:{worker_id}"


def drain(worker_id: str) -> str:
    """There while an operator wants the worker to drain."""
    return f"{PREFIX}drain:{worker_id}"


def upkeep(name: str) -> str:
    """Lock of a periodic task: whoever holds it does the task for all."""
    return f"{PREFIX}upkeep:{name}"


def vector(name: str) -> str:
    """A text's vector: float32, little-endian."""
    return f"{PREFIX}vector:{name}"


def encoding(name: str) -> str:
    """The mark of whoever encodes that text right now."""
    return f"{PREFIX}encoding:{name}"


def tenant(name: str) -> str:
    """Everything below belongs to one tenant."""
    return f"{PREFIX}tenant:{name}:"


def jobs(tenant_name: str) -> str:
    return tenant(tenant_name) + "jobs"


def jobs_in(tenant_name: str, state: State) -> str:
    return f"{tenant(tenant_name)}jobs:{state}"


def idempotency(tenant_name: str, key: str) -> str:
    return f"{tenant(tenant_name)}idempotency:{key}"


def session(tenant_name: str, session_id: str) -> str:
    return f"{tenant(tenant_name)}session:{session_id}"


def slots(tenant_name: str, session_id: str) -> str:
    """Hash of a session's slots: name → the job that took it last."""
    return session(tenant_name, session_id) + ":slots"


def sessions(tenant_name: str) -> str:
    """Sorted set of a tenant's sessions: id → when it ends, in milliseconds."""
    return tenant(tenant_name) + "sessions"


def sessions_made(tenant_name: str) -> str:
    """The same by when they were made, in microseconds."""
    return sessions(tenant_name) + ":made"


def collections(tenant_name: str) -> str:
    """Hash of a tenant's collections: name → record."""
    return tenant(tenant_name) + "collections"


def rebuild(tenant_name: str, name: str) -> str:
    """Hash of a collection that is being reindexed: the `job`, and `closing` while nobody may begin to write."""
    return f"{tenant(tenant_name)}rebuild:{name}"


def writers(tenant_name: str, name: str) -> str:
    """Set of the jobs that write into a collection at this moment."""
    return f"{tenant(tenant_name)}writers:{name}"


def changed(tenant_name: str, name: str) -> str:
    """Set of the items that were written while the collection is being reindexed."""
    return f"{tenant(tenant_name)}changed:{name}"


def term(tenant_name: str, name: str) -> str:
    """Sorted set of a tenant's jobs that a term leads to: job id → when it was created."""
    return f"{tenant(tenant_name)}by:{name}"


def indexed(tenant_name: str) -> str:
    """Sorted set of what the terms lead to: a job's id with its terms (msgpack) → when it was created."""
    return tenant(tenant_name) + "indexed"


def tokens(tenant_name: str) -> str:
    """Hash of a tenant's token bucket: how many are `left` and since when, `at`."""
    return tenant(tenant_name) + "tokens"


def counted(what: str, step_s: int, step: int) -> str:
    """Hash of what was counted in one step of time; `what` is a lane, or the fleet."""
    return f"{PREFIX}counted:{what}:{step_s}:{step}"


def used(tenant_name: str, day: int) -> str:
    """Hash of what a tenant used on one day, counted from 1970."""
    return f"{tenant(tenant_name)}used:{day}"
