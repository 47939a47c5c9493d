"""How arq's `run_job` reads a job: the same three commands, those of many jobs in one round trip."""

from typing import Any

from arq.connections import ArqRedis
from redis.asyncio.client import Pipeline

from shared.grouping import Grouping


class _GroupedPipeline(Pipeline):  # type: ignore[misc]  # mypy skips redis-py
    """No transaction: of a job that is leased nobody else reads the body or counts the tries."""

    grouping: Grouping

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = [args for args, _ in self.command_stack]
        await self.reset()
        return await self.grouping.run(*commands)


class JobReader(ArqRedis):
    """The client that arq's worker calls its pool; over the same connections as the one given."""

    def __init__(self, redis: ArqRedis) -> None:
        super().__init__(
            redis.connection_pool, job_serializer=redis.job_serializer, job_deserializer=redis.job_deserializer
        )
        self._grouping = Grouping(redis)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        pipe = _GroupedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe.grouping = self._grouping
        return pipe
