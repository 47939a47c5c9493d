"""The worker where traces are wanted: the end of a job, its last way to Redis, is a span too."""

from collections.abc import Sequence
from typing import Any

from arq.worker import Function

from shared.trace_context import followed
from shared.tracing import Tracing
from workers.finishing import Finishing
from workers.outcome import Running
from workers.worker import Worker


class TracedWorker(Worker):
    """Works as `Worker` does."""

    def __init__(self, functions: Sequence[Function], *, tracing: Tracing, **others: Any) -> None:
        super().__init__(functions, **others)
        self._finishing = _TracedFinishing(self._finishing, tracing)


class _TracedFinishing(Finishing):
    """Takes another's place, with all that it has."""

    def __init__(self, untraced: Finishing, tracing: Tracing) -> None:
        vars(self).update(vars(untraced))
        self._tracing = tracing

    async def _write(self, script: str, running: Running, args: list[Any]) -> None:
        with self._tracing.span(script, role="client", parent=followed()):
            await super()._write(script, running, args)
