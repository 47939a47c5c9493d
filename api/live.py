"""WS /v1/ws: who may connect, where the session resumes, and who reads; the pusher writes."""

import asyncio
import logging
from asyncio import Task
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from api import auth, frames
from api.conversation import Conversation
from api.hosts import host_of, is_local_name, may_call
from api.outbox import TRY_LATER, Closing, Outbox
from api.pusher import UNEXPECTED, Pusher
from api.sequence import to_seq
from api.sockets import EXTENSION, Sockets
from api.state import State
from api.subscription import Subscription
from shared.clock import now_ms
from shared.errors import BadRequest, Invalid, TooManyRequests, Unauthorized, Unavailable
from shared.events import Event
from shared.logs import about
from shared.tenants import Identity

logger = logging.getLogger(__name__)

NOT_JSON = 1007
NOT_ALLOWED = 1008
HELLO_S = 10.0
PLACE_S = 2.0
REASON_BYTES = 120  # a close frame has room for 123


class Wire:
    """The channel of one websocket."""

    def __init__(self, socket: Sockets) -> None:
        self.socket = socket

    def push_now(self, sent: Sequence[frames.ServerFrame]) -> bool:
        return self.socket.write_texts([frames.encode(frame) for frame in sent])

    async def push(self, frame: frames.ServerFrame) -> None:
        await self.socket.write_text(frames.encode(frame))


class Live:
    """The endpoint; `on_close` is told the code of every close of ours."""

    def __init__(self, on_close: Callable[[int], None]) -> None:
        self.on_close = on_close
        self._closing: set[Task[None]] = set()

    async def talk(self, websocket: WebSocket[State]) -> None:
        # Accepted before it is refused: a browser is told a close code, but never why a handshake failed.
        await websocket.accept()
        try:
            await self._serve(websocket)
        except WebSocketDisconnect:
            return
        except Closing as closing:
            await self._close(websocket, closing)
        except Exception:
            logger.exception("the websocket failed")
            await self._close(websocket, Closing(UNEXPECTED, "something went wrong on our side"))

    async def _close(self, websocket: WebSocket[State], closing: Closing) -> None:
        logger.info("websocket ✗ %d %s", closing.code, closing.reason)
        self.on_close(closing.code)
        reason = closing.reason.encode()[:REASON_BYTES].decode(errors="ignore")
        # It may be closed already, from the other side or by the server's own end.
        with suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close(closing.code, reason)

    async def _serve(self, websocket: WebSocket[State]) -> None:
        connections = websocket.state["connections"]
        try:
            with connections.one():
                identity = await _identify(websocket)
                with about(tenant=identity.tenant), connections.of_tenant(identity.tenant):
                    await self._talk(websocket, identity)
        except Unauthorized as error:
            raise Closing(NOT_ALLOWED, error.detail) from error
        except BadRequest as error:
            raise Closing(NOT_JSON, error.detail) from error
        except (Unavailable, TooManyRequests) as error:
            raise Closing(TRY_LATER, error.detail) from error

    async def _talk(self, websocket: WebSocket[State], identity: Identity) -> None:
        state, outbox = websocket.state, Outbox()
        session, marks, known = await _session(websocket, identity)
        subscription = Subscription(state["dispatcher"], outbox, tenant=identity.tenant, session=session, marks=marks)
        with subscription, state["keeper"].holding(identity.tenant, session):
            await found_place(state)
            snapshot = _snapshot(state, subscription) if known else None
            after = websocket.query_params.get("after")
            place = await state["resuming"].find(subscription, after=after, snapshot=snapshot)
            wire = Wire(websocket.scope["extensions"][EXTENSION])
            seq = to_seq(place.after, place.epoch)
            await wire.push(frames.Welcome(session=session, seq=seq, recovered=place.recovered))
            pusher = Pusher(wire, state["results"], subscription, outbox=outbox, epoch=place.epoch, after=seq)
            outbox.on_verdict = lambda verdict: self._end(websocket, verdict)
            try:
                await pusher.replay(place.missed)
                subscription.begin(place.until)
                await _receive(websocket, Conversation(state, identity, subscription, outbox))
            finally:
                outbox.on_verdict = None
                await pusher.stop()

    def _end(self, websocket: WebSocket[State], verdict: Closing) -> None:
        """The close wakes whoever reads from the socket, and whoever waits to write to it."""
        task = asyncio.create_task(self._close(websocket, verdict))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _identify(websocket: WebSocket[State]) -> Identity:
    """By header, or by a first frame, for browsers. Raises Unauthorized, Unavailable."""
    keyring = websocket.state["keyring"]
    local = not keyring.open or is_local_name(host_of(websocket.headers.get("host", "")))
    if not local or not may_call(websocket.headers, origins=websocket.state["settings"].origins):
        raise Unauthorized("a page of another origin may not connect")
    key = auth.key_in(websocket.headers)
    if key is None and not keyring.open:
        key = await _hello(websocket)
    identity = auth.identify(keyring, key)
    if identity is None:
        raise Unauthorized("no such key")
    return identity


async def _hello(websocket: WebSocket[State]) -> str:
    try:
        async with asyncio.timeout(HELLO_S):
            frame = frames.decode(await _text(websocket))
    except (Invalid, TimeoutError):
        frame = None
    if not isinstance(frame, frames.Hello):
        raise Unauthorized("send the key as a header, or first of all as a hello frame")
    return frame.key


async def _text(websocket: WebSocket[State]) -> str:
    """The next frame. Raises BadRequest for a binary one, WebSocketDisconnect at the end."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if text is None:
        raise BadRequest("frames are JSON text")
    return str(text)


async def _session(websocket: WebSocket[State], identity: Identity) -> tuple[str, str, bool]:
    """The session asked for while it is known, else a new one; which one holds its marks; whether it was asked for."""
    sessions, asked = websocket.state["sessions"], websocket.query_params.get("session")
    known = await sessions.known(identity.tenant, asked) if asked and len(asked) <= 128 else None
    if asked and known is not None:
        return asked, known.owner, True
    made = await sessions.create(identity.tenant)
    return made, made, False


def _snapshot(state: State, subscription: Subscription) -> Callable[[str], Awaitable[list[Event]]]:
    """The session's open jobs, as events at an offset."""
    tenant, session = subscription.tenant, subscription.session or ""

    async def read(offset: str) -> list[Event]:
        return [
            Event(
                offset=offset,
                job=job.id,
                tenant=tenant,
                state=job.state,
                at_ms=now_ms(),
                session=session,
                client_id=job.client_id,
            )
            for job in await state["snapshots"].open_jobs(tenant, session)
        ]

    return read


async def found_place(state: State) -> None:
    """Events are only heard by who follows the stream. Raises Unavailable while Redis is away."""
    if state["dispatcher"].found_place.is_set():
        return
    try:
        async with asyncio.timeout(PLACE_S):
            await state["dispatcher"].found_place.wait()
    except TimeoutError as error:
        raise Unavailable("Redis does not answer") from error


async def _receive(websocket: WebSocket[State], conversation: Conversation) -> None:
    """Until the client leaves, or must."""
    while conversation.outbox.verdict is None:
        await conversation.hear(await _text(websocket))
    raise WebSocketDisconnect(conversation.outbox.verdict.code)
