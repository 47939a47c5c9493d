"""GET /v1/jobs/{id}/events: one job as server-sent events, from the same dispatcher and in the websocket's words."""

import asyncio
from asyncio import Event as Signal
from collections.abc import Sequence
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api import auth, frames, params
from api.live import found_place
from api.outbox import Outbox
from api.pusher import Pusher
from api.resume import Place
from api.sequence import to_seq
from api.state import State
from api.subscription import Subscription
from api.tasks import until_one_ends
from shared.clock import now_ms
from shared.errors import JobNotFound, Unavailable
from shared.events import Event, Gap, of_jobs
from shared.jobs import FINAL, JobView

MEDIA_TYPE = "text/event-stream"
# Proxies that collect an answer before they pass it on would make a stream pointless.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RETRY_MS = 2_000
COMMENT = b": still here\n\n"
LAST_WORDS_S = 1.0


async def follow(request: Request[State]) -> Response:
    """The job's state now, or what was missed since Last-Event-ID, and all that happens until it has ended."""
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    job_id = request.path_params["job_id"]
    if await request.state["results"].get(identity.tenant, job_id) is None:
        raise JobNotFound(f"no job {job_id!r}")
    return EventStream(request.state, identity.tenant, job_id, after=request.headers.get("last-event-id", ""))


class Stream:
    """The channel of one answer; `ended` after the terminal frame."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.ended = Signal()

    def push_now(self, sent: Sequence[frames.ServerFrame]) -> bool:
        return False

    async def push(self, frame: frames.ServerFrame) -> None:
        await self.write(block(frame))
        if isinstance(frame, frames.Result):
            self.ended.set()

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


def block(frame: frames.ServerFrame) -> bytes:
    """The websocket's frame as the data of an event; JSON has no line breaks of its own."""
    name, seq = (b"result" if isinstance(frame, frames.Result) else b"event"), getattr(frame, "seq", "")
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name, seq.encode(), frames.encode(frame))


class EventStream(Response):
    """An answer that goes on; 204, which ends an EventSource's reconnecting, for who has heard of the end."""

    media_type = MEDIA_TYPE

    def __init__(self, state: State, tenant: str, job_id: str, *, after: str) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self.state = state
        self.tenant = tenant
        self.job_id = job_id
        self.after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connections = self.state["connections"]
        subscription = Subscription(self.state["dispatcher"], Outbox(), tenant=self.tenant, session=None)
        with connections.one(), connections.of_tenant(self.tenant), subscription:
            subscription.watch(self.job_id, None, most=1)
            await found_place(self.state)
            place = await self.state["resuming"].find(subscription, after=self.after, snapshot=self._snapshot)
            if place.recovered and not place.missed and await self._is_over(place):
                await Response(status_code=204)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._talk(subscription, place, receive, send)

    async def _talk(self, subscription: Subscription, place: Place, receive: Receive, send: Send) -> None:
        stream, outbox = Stream(send), subscription.outbox
        after = to_seq(place.after, place.epoch) if place.recovered else ""
        pusher = Pusher(stream, self.state["results"], subscription, outbox=outbox, epoch=place.epoch, after=after)
        outbox.on_verdict = lambda _: stream.ended.set()

        async def tell() -> None:
            await stream.write(b"retry: %d\n\n" % RETRY_MS)
            await pusher.replay(place.missed)
            subscription.begin(place.until)
            await _keep_alive(stream, every_s=self.state["settings"].heartbeat_s)

        try:
            await until_one_ends(_gone(receive), _set(stream.ended), _set(self.state["dispatcher"].stopping), tell())
        finally:
            outbox.on_verdict = None
            await pusher.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _snapshot(self, offset: str) -> list[Event]:
        view = await self._view()
        if view is None:
            raise JobNotFound(f"no job {self.job_id!r}")
        if view.state in FINAL:
            # It may have ended since `offset`. Told under that, the end would be told again to who resumes after it.
            ends = (event.offset for event in await self._since(offset) if event.state == view.state)
            offset = next(ends, offset)
        return [Event(offset=offset, job=view.id, tenant=view.tenant, state=view.state, at_ms=now_ms())]

    async def _is_over(self, place: Place) -> bool:
        """Whether the job has ended, and its end lies before the place: then nothing is left to be told."""
        view = await self._view()
        if view is None or view.state not in FINAL:
            return view is None
        return not await self._since(place.after)

    async def _since(self, offset: str) -> list[Event]:
        """What happened to the job after `offset`. Raises Unavailable."""
        events = self.state["events"]
        try:
            later = await events.between(offset, await events.last())
        except Gap as gap:
            raise Unavailable("the stream moved on; reconnect") from gap
        return [event for event in of_jobs(later) if (event.tenant, event.job) == (self.tenant, self.job_id)]

    async def _view(self) -> JobView | None:
        return await self.state["results"].get(self.tenant, self.job_id)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _set(signal: Signal) -> None:
    await signal.wait()


async def _keep_alive(stream: Stream, *, every_s: float) -> None:
    """So that no proxy takes a quiet stream for a dead one, and a client that went away is noticed."""
    while True:
        await asyncio.sleep(every_s)
        await stream.write(COMMENT)
