"""What the queue's scripts are given of a job: its body, what the ledger's record keeps of it, its slot, its digest."""

import hashlib
from typing import Any

import msgspec

from shared.jobs import Job, Search, kind_of
from shared.sequences import text_of

TEXT_KEPT = 200


def pack(job: Job) -> tuple[dict[str, Any], bytes]:
    """The body that arq carries, and the picture that travels beside it."""
    blob = b""
    if isinstance(job, Search) and job.query.image is not None:
        blob = job.query.image
        # One byte stands for the picture: a query without any part would not be valid.
        job = msgspec.structs.replace(job, query=msgspec.structs.replace(job.query, image=b"\0"))
    return msgspec.to_builtins(job, builtin_types=(bytes,)), blob


def record_fields(job: Job, *, client_id: str | None, trace: str, weight: str) -> list[str]:
    """What the ledger's record keeps of the request: names and values in turns."""
    fields = ["kind", kind_of(job), "collection", job.collection, "trace", trace]
    if client_id:
        fields += ["client_id", client_id]
    if weight != "1":
        fields += ["weight", weight]
    if isinstance(job, Search):
        fields += ["text", text_of(job)[:TEXT_KEPT], "session", job.session or ""]
        if job.deadline_ms is not None:
            fields += ["deadline_ms", str(job.deadline_ms)]
        if job.query.image is not None:
            fields += ["picture", str(len(job.query.image))]
    return fields


def slot_of(job: Job) -> str:
    return job.slot or "" if isinstance(job, Search) and job.session else ""


def digest(job: Job, *, any_session: bool) -> str:
    fields = msgspec.to_builtins(job, builtin_types=(bytes,))
    if any_session:
        fields.pop("session", None)
    return hashlib.sha256(msgspec.msgpack.encode(fields)).hexdigest()
