"""What a stretch of work cost Redis, from the differences of its own counters."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from redis import Redis

# Our own looks at the counters.
LOOKS = {"info"}


class RedisLoad(msgspec.Struct):
    """`commands` counts those inside scripts too: it is Redis' work; `reads` is near the number of round trips."""

    commands: int = 0
    reads: int = 0
    net_bytes: int = 0
    cpu_us: float = 0.0

    def per_job(self, jobs: int) -> dict[str, float]:
        return {
            "commands_per_job": self.commands / jobs,
            "reads_per_job": self.reads / jobs,
            "bytes_per_job": self.net_bytes / jobs,
            "redis_us_per_job": self.cpu_us / jobs,
        }


@contextmanager
def observed(redis: "Redis[bytes]") -> Iterator[RedisLoad]:
    """The load between start and end of the block, by everybody; filled in when the block ends."""
    load, before = RedisLoad(), _counters(redis)
    yield load
    after = _counters(redis)
    for name in RedisLoad.__struct_fields__:
        setattr(load, name, after[name] - before[name])


def cpu_s(redis: "Redis[bytes]") -> float:
    """Seconds of CPU that the server has used."""
    info: dict[str, Any] = redis.info("cpu")
    return float(info["used_cpu_sys"]) + float(info["used_cpu_user"])


def _counters(redis: "Redis[bytes]") -> dict[str, float]:
    stats: dict[str, Any] = redis.info("stats")
    commands: dict[str, Any] = redis.info("commandstats")
    return {
        "commands": sum(row["calls"] for name, row in commands.items() if name.removeprefix("cmdstat_") not in LOOKS),
        "reads": stats["total_reads_processed"],
        "net_bytes": stats["total_net_input_bytes"] + stats["total_net_output_bytes"],
        "cpu_us": cpu_s(redis) * 1e6,
    }
