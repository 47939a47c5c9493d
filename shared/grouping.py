"""Commands of many tasks in one round trip: what is ready at the same time travels together.

A call alone leaves at once. While two groups are on their way the next one gathers, as in a database's group commit: no
call waits for a timer, and under load many share the cost of a round trip.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from arq.connections import ArqRedis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

Command = Sequence[Any]
Waiting = tuple[Sequence[Command], "asyncio.Future[list[Any]]"]

CALLS_AT_MOST = 64
GROUPS_AT_MOST = 2


class Grouping:
    """Sends commands of one Redis client in groups; as many wait as there are tasks that call."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        self._waiting: list[Waiting] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self, *commands: Command) -> list[Any]:
        """The answers to these commands, which run in order but not as a transaction. Raises the first error."""
        asked: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, asked))
        if len(self._sending) < GROUPS_AT_MOST:
            task = asyncio.create_task(self._send())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        answers = await asked
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    async def _send(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:CALLS_AT_MOST], self._waiting[CALLS_AT_MOST:]
            try:
                answers = await self._round_trip(group)
            except asyncio.CancelledError:
                for _, asked in group:
                    asked.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - whoever waits gets it, whatever it is
                _fail(group, error)
            else:
                _answer(group, answers)

    async def _round_trip(self, group: Sequence[Waiting]) -> list[Any]:
        async with self.redis.pipeline(transaction=False) as pipe:
            for commands, _ in group:
                for command in commands:
                    pipe.execute_command(*command)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
            return answers


class GroupedScript:
    """A script whose calls travel in groups."""

    def __init__(self, grouping: Grouping, source: str) -> None:
        self._grouping = grouping
        self._script: AsyncScript = grouping.redis.register_script(source)

    async def __call__(self, *, keys: Sequence[str], args: Sequence[Any]) -> Any:
        try:
            [answer] = await self._grouping.run(("EVALSHA", self._script.sha, len(keys), *keys, *args))
        except NoScriptError:
            # Redis has not seen it yet, or forgot it: this call brings it.
            return await self._script(keys=keys, args=args)
        return answer


def _answer(group: Sequence[Waiting], answers: Sequence[Any]) -> None:
    start = 0
    for commands, asked in group:
        if not asked.done():
            asked.set_result(list(answers[start : start + len(commands)]))
        start += len(commands)


def _fail(group: Sequence[Waiting], error: Exception) -> None:
    for _, asked in group:
        if not asked.done():
            asked.set_exception(error)
