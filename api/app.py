"""The API: its route table, its middleware and what is open while it runs."""

import asyncio
import os
from asyncio import Event as Signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import lowlevel, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from api import (
    asyncapi,
    collections,
    facets,
    health,
    insight,
    items,
    jobs,
    media,
    openapi,
    operators,
    pages,
    problems,
    scrape,
    search,
    sessions,
    sse,
)
from api.arrival import Arrival
from api.auth import Identify
from api.hosts import Hosts
from api.limits import Inflight
from api.live import Live
from api.metrics import Metrics
from api.state import State, opened
from api.tasks import end
from api.trace import Trace
from shared.loop_watch import LoopWatch
from shared.settings import Settings
from shared.tenants import Keyring
from shared.tracing import open_tracing


def create_app(settings: Settings, *, stopping: Signal | None = None) -> Starlette:
    """An ASGI application with its own connections. `stopping` lets long polls answer before the process ends.

    Raises SettingsError when the keys file cannot be read.
    """
    keyring = keyring_of(settings)
    metrics = Metrics()
    tracing = open_tracing("clipline-api", os.environ)
    openapi.encoded()
    asyncapi.encoded()
    signal = stopping or Signal()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        # anyio imports its backend when it is first used, which would hold the first requests up for 80 ms.
        await lowlevel.checkpoint()
        async with opened(settings, keyring=keyring, stopping=signal, metrics=metrics, tracing=tracing) as state:
            lag = asyncio.create_task(LoopWatch(metrics.loop).run())
            counting = asyncio.create_task(state["accountant"].run())
            pulses = asyncio.create_task(state["pulses"].run())
            try:
                yield state
            finally:
                await end([lag, counting, pulses])
                await to_thread.run_sync(tracing.close)

    app = Starlette(
        routes=routes(metrics),
        middleware=[
            Middleware(Trace, metrics=metrics, tracing=tracing),
            *_cross_origin(settings.origins),
            Middleware(Hosts, local_only=keyring.open, origins=settings.origins),
            Middleware(Inflight, most=settings.max_inflight, metrics=metrics),
            Middleware(Identify, keyring=keyring),
            Middleware(Arrival, pause_s=settings.body_pause_s, total_s=settings.body_timeout_s),
        ],
        exception_handlers=problems.HANDLERS,
        lifespan=lifespan,
    )
    # A slash too much is another address: it gets a problem like any other, not a redirect.
    app.router.redirect_slashes = False
    return app


def _cross_origin(origins: frozenset[str]) -> list[Middleware]:
    """Lets pages of these origins read the answers; keys are headers, so a browser's credentials are not asked."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=sorted(origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=["Location", "Retry-After", "X-Request-Id"],
        )
    ]


def keyring_of(settings: Settings) -> Keyring:
    return Keyring(Path(settings.keys_file) if settings.keys_file else None)


def routes(metrics: Metrics) -> list[BaseRoute]:
    return [
        Route("/v1/search", search.submit, methods=["POST"]),
        Route("/v1/jobs", jobs.recent),
        Route("/v1/jobs/states", insight.states),
        Route("/v1/jobs/cancel", operators.sweeping("cancel"), methods=["POST"]),
        Route("/v1/jobs/replay", operators.sweeping("replay"), methods=["POST"]),
        Route("/v1/jobs/purge", operators.sweeping("purge"), methods=["POST"]),
        Route("/v1/jobs/{job_id}", jobs.show),
        Route("/v1/jobs/{job_id}", jobs.cancel, methods=["DELETE"]),
        Route("/v1/jobs/{job_id}/events", sse.follow),
        Route("/v1/jobs/{job_id}/retry", jobs.retry, methods=["POST"]),
        Route("/v1/jobs/{job_id}/request", insight.asked),
        Route("/v1/collections", collections.every),
        Route("/v1/collections/{name}", collections.show),
        Route("/v1/collections/{name}", collections.put, methods=["PUT"]),
        Route("/v1/collections/{name}", collections.drop, methods=["DELETE"]),
        Route("/v1/collections/{name}/reindex", collections.reindex, methods=["POST"]),
        Route("/v1/collections/{name}/items", items.add, methods=["POST"]),
        Route("/v1/collections/{name}/items/{item_id}", items.show),
        Route("/v1/collections/{name}/items/{item_id}/media", media.show),
        Route("/v1/collections/{name}/items/{item_id}/neighbours", items.neighbours),
        Route("/v1/collections/{name}/facets", facets.count, methods=["POST"]),
        Route("/v1/sessions", sessions.recent),
        Route("/v1/sessions", sessions.create, methods=["POST"]),
        Route("/v1/sessions/import", sessions.restore, methods=["POST"]),
        Route("/v1/sessions/{session}", sessions.show),
        Route("/v1/sessions/{session}", sessions.replace, methods=["PUT"]),
        Route("/v1/sessions/{session}", sessions.drop, methods=["DELETE"]),
        Route("/v1/sessions/{session}/members", sessions.join, methods=["POST"]),
        Route("/v1/sessions/{session}/history", sessions.past),
        Route("/v1/sessions/{session}/export", sessions.export),
        Route("/v1/sessions/{session}/marks", sessions.mark, methods=["POST"]),
        Route("/v1/sessions/{session}/undo", sessions.undo, methods=["POST"]),
        Route("/v1/sessions/{session}/redo", sessions.redo, methods=["POST"]),
        Route("/v1/workers", operators.workers),
        Route("/v1/workers/{worker_id}/drain", operators.drain, methods=["POST"]),
        Route("/v1/queues", operators.queues),
        Route("/v1/queues/{name}/pause", operators.pause, methods=["POST"]),
        Route("/v1/queues/{name}/resume", operators.resume, methods=["POST"]),
        Route("/v1/audit", operators.audit),
        Route("/v1/statistics", insight.overview),
        Route("/v1/tenants", insight.tenants),
        Route("/v1/caller", insight.caller),
        WebSocketRoute("/v1/ws", Live(on_close=metrics.close).talk),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", scrape.exposing(metrics)),
        Route("/openapi.json", openapi.document),
        Route("/asyncapi.json", asyncapi.document),
        Route("/", pages.search),
        Route("/dashboard", pages.dashboard),
        Route("/docs", pages.docs),
        Route("/favicon.svg", pages.icon),
        Route("/assets/{path:path}", pages.asset),
    ]
