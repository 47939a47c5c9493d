"""Jobs for a worker under test."""

import asyncio
from typing import Any

from arq.worker import func

Context = dict[Any, Any]


async def echo(ctx: Context, payload: dict[str, Any], **_: Any) -> dict[str, Any]:
    return {"text": payload["query"]["text"], "try": ctx["job_try"]}


class Gate:
    """A job that says when it has started and goes on when it may."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.runs = 0
        self.cancelled = 0

    async def __call__(self, ctx: Context, payload: dict[str, Any], **_: Any) -> str:
        self.runs += 1
        self.started.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "through"

    def function(self, name: str = "search") -> Any:
        async def run(ctx: Context, payload: dict[str, Any], **more: Any) -> str:
            return await self(ctx, payload, **more)

        return func(run, name=name)
