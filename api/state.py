"""What one API process has open, typed, for its handlers."""

from asyncio import Event as Signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from arq.connections import ArqRedis

from api.accounting import Accountant
from api.connections import Connections
from api.dispatcher import Dispatcher
from api.keeping import Keeper
from api.lanes import Lanes
from api.metrics import Metrics
from api.positions import Positions
from api.pulses import Pulses
from api.results import Results
from api.resume import Resuming
from api.sampling import Sampler
from api.snapshots import Snapshots
from api.stages import Stages
from api.tasks import running
from api.wanted_models import WantedModels
from shared.audit import Audit
from shared.collections import Collections
from shared.connection import connect
from shared.events import Events
from shared.fleet import Fleet
from shared.ledger import Ledger
from shared.marking import Marking
from shared.queue import Queue
from shared.sessions import Sessions
from shared.settings import Settings
from shared.sweeps import Sweeps
from shared.tenants import Identity, Keyring
from shared.tracing import Tracing
from shared.turns import Turns
from shared.usage import Usage


class State(TypedDict):
    """Reaches every handler as `request.state`; `identity` is the caller's, set for each request."""

    settings: Settings
    keyring: Keyring
    queue: Queue
    ledger: Ledger
    events: Events
    collections: Collections
    sessions: Sessions
    marking: Marking
    fleet: Fleet
    wanted_models: WantedModels
    lanes: Lanes
    sweeps: Sweeps
    audit: Audit
    usage: Usage
    accountant: Accountant
    pulses: Pulses
    redis: ArqRedis
    snapshots: Snapshots
    results: Results
    dispatcher: Dispatcher
    resuming: Resuming
    keeper: Keeper
    connections: Connections
    metrics: Metrics
    tracing: Tracing
    turns: Turns
    identity: Identity | None


@asynccontextmanager
async def opened(
    settings: Settings, *, keyring: Keyring, stopping: Signal, metrics: Metrics, tracing: Tracing
) -> AsyncIterator[State]:
    """Everything that the process needs, closed again at the end; Redis may be away meanwhile."""
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        ledger = Ledger(redis)
        events = Events(redis, blocking=blocking)
        results = Results(ledger)
        queue = Queue(redis, settings)
        fleet, lanes, collections = Fleet(redis), Lanes(redis, settings), Collections(redis)
        sessions = Sessions(redis, settings)
        keeper = Keeper(sessions)
        dispatcher = Dispatcher(events, results, stopping=stopping, keep_events=settings.keep_events)
        beside = (keeper.run(), Positions(redis, dispatcher, lanes.names).run(), Stages(blocking, dispatcher).run())
        async with dispatcher, running(*beside):
            yield {
                "settings": settings,
                "keyring": keyring,
                "queue": queue,
                "ledger": ledger,
                "events": events,
                "collections": collections,
                "sessions": sessions,
                "marking": Marking(redis, settings),
                "fleet": fleet,
                "wanted_models": WantedModels(settings, keyring, collections),
                "lanes": lanes,
                "sweeps": Sweeps(queue),
                "audit": Audit(redis, settings),
                "usage": Usage(redis, settings),
                "accountant": Accountant(redis, settings, Sampler(lanes, fleet)),
                "redis": redis,
                "pulses": Pulses(dispatcher),
                "snapshots": Snapshots(redis),
                "results": results,
                "dispatcher": dispatcher,
                "resuming": Resuming(events, dispatcher),
                "keeper": keeper,
                "connections": Connections(settings),
                "metrics": metrics,
                "tracing": tracing,
                "turns": Turns(),
                "identity": None,
            }
