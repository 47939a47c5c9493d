"""How arq's `run_job` reads a job: the claim has brought the body and counted the try, so it asks nobody."""

from collections.abc import Mapping
from typing import Any

from arq.connections import ArqRedis
from redis.asyncio.client import Pipeline

from shared import keys
from workers.outcome import Running

# arq 0.28, worker.py, run_job: body, tries, how long the tries are remembered. claim.lua does the same.
ASKED = ("GET", "INCRBY", "EXPIRE")


class _JobPipeline(Pipeline):  # type: ignore[misc]  # mypy skips redis-py
    running: Mapping[str, Running]

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        brought = self._brought()
        if brought is None:
            answers: list[Any] = await super().execute(raise_on_error)
            return answers
        await self.reset()
        return [*brought, True]

    def _brought(self) -> tuple[bytes | None, int] | None:
        """What the claim brought, when this is the first reading of a job that runs here."""
        commands = [args for args, _ in self.command_stack]
        if tuple(command[0] for command in commands) != ASKED:
            return None
        running = self.running.get(commands[0][1].removeprefix(keys.ARQ_JOB))
        if running is None:
            return None
        brought, running.brought = running.brought, None
        return brought


class JobReader(ArqRedis):
    """The client that arq's worker calls its pool; over the same connections as the one given."""

    def __init__(self, redis: ArqRedis, running: Mapping[str, Running]) -> None:
        super().__init__(
            redis.connection_pool, job_serializer=redis.job_serializer, job_deserializer=redis.job_deserializer
        )
        self._running = running

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        pipe = _JobPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe.running = self._running
        return pipe
