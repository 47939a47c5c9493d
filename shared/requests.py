"""What a job was asked to do, as long as that is kept: lists cut short, pictures by their size alone."""

from typing import Any, cast

import msgspec
from arq.connections import ArqRedis

from shared import keys, wire
from shared.connection import redis_errors

# Of a list, so many are shown; `seen` may have 100,000 ids.
SHOWN = 100
# A body that is larger is not read for a look at it.
MOST_BYTES = 4 * 2**20


class JobRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`payload` is null when it is no longer kept; `cut` has the full length of lists. `dropped_bytes` is the size of
    a request that was too large to be kept when its job succeeded.
    """

    payload: dict[str, Any] | None = None
    cut: dict[str, int] = msgspec.field(default_factory=dict)
    dropped_bytes: int | None = None


async def request_of(redis: ArqRedis, job_id: str) -> JobRequest:
    """Of a job that the caller may see. Raises QueueAway."""
    names = [keys.ARQ_JOB + job_id, keys.kept_body(job_id)]
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.getrange(name, 0, MOST_BYTES)
            pipe.hmget(keys.record(job_id), "picture", "dropped")
            *bodies, (picture, dropped) = await pipe.execute()
    data = next((body for body in bodies if 0 < len(body) <= MOST_BYTES), None)
    if data is None:
        return JobRequest(dropped_bytes=int(dropped) if dropped else None)
    return _shown(data, int(picture or 0))


def _shown(data: bytes, picture_bytes: int) -> JobRequest:
    """The picture went before: of it the record has the size."""
    arguments = cast(dict[str, Any], wire.decode(data)).get("a") or [{}]
    cut: dict[str, int] = {}
    payload = _short(arguments[0], "", cut) if isinstance(arguments[0], dict) else {}
    if picture_bytes and isinstance(query := payload.get("query"), dict):
        query["image"] = f"{picture_bytes:,} bytes"
    return JobRequest(payload=payload, cut=cut)


def _short(value: Any, path: str, cut: dict[str, int]) -> Any:
    """JSON that is fit to be shown; `cut` learns what was left out."""
    if isinstance(value, dict):
        return {str(name): _short(part, f"{path}.{name}".lstrip("."), cut) for name, part in value.items()}
    if isinstance(value, list | tuple):
        if len(value) > SHOWN:
            cut[path] = len(value)
        return [_short(part, path, cut) for part in value[:SHOWN]]
    return f"{len(value):,} bytes" if isinstance(value, bytes) else value
