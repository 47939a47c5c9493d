"""WS /v1/ws: who may connect, where the session resumes, and two tasks that talk."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from api import auth, frames
from api.conversation import Conversation
from api.hosts import host_of, is_local_name, same_origin
from api.outbox import TRY_LATER, Closing, Outbox
from api.pusher import Pusher
from api.resume import Place, find_place
from api.sequence import to_seq
from api.state import State
from api.subscription import Subscription
from api.tasks import end
from shared.errors import BadRequest, CliplineError, Invalid, Unauthorized, Unavailable
from shared.logs import about
from shared.tenants import Identity

logger = logging.getLogger(__name__)

NOT_JSON = 1007
NOT_ALLOWED = 1008
UNEXPECTED = 1011
HELLO_S = 10.0
PLACE_S = 2.0
REASON_BYTES = 120  # a close frame has room for 123


class Live:
    """The endpoint; `on_close` is told the code of every close of ours."""

    def __init__(self, on_close: Callable[[int], None]) -> None:
        self.on_close = on_close

    async def talk(self, websocket: WebSocket[State]) -> None:
        # Accepted before it is refused: a browser is told a close code, but never why a handshake failed.
        await websocket.accept()
        connections = websocket.state["connections"]
        try:
            if connections.full:
                raise Closing(TRY_LATER, f"{connections.most:,} connections are open")
            with connections.one():
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
        try:
            identity = await _identify(websocket)
            with about(tenant=identity.tenant):
                await _talk(websocket, identity)
        except Unauthorized as error:
            raise Closing(NOT_ALLOWED, error.detail) from error
        except BadRequest as error:
            raise Closing(NOT_JSON, error.detail) from error
        except Unavailable as error:
            raise Closing(TRY_LATER, error.detail) from error


async def _identify(websocket: WebSocket[State]) -> Identity:
    """By header, or by a first frame, for browsers. Raises Unauthorized, Unavailable."""
    keyring = websocket.state["keyring"]
    local = not keyring.open or is_local_name(host_of(websocket.headers.get("host", "")))
    if not local or not same_origin(websocket.headers):
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


async def _session(websocket: WebSocket[State], identity: Identity) -> tuple[str, bool]:
    """The session asked for while it is known, else a new one; and whether it is the one asked for."""
    sessions, asked = websocket.state["sessions"], websocket.query_params.get("session")
    if asked and len(asked) <= 128 and await sessions.touch(identity.tenant, asked):
        return asked, True
    return await sessions.create(identity.tenant), False


async def _talk(websocket: WebSocket[State], identity: Identity) -> None:
    state = websocket.state
    session, known = await _session(websocket, identity)
    outbox = Outbox()
    subscription = Subscription(state["dispatcher"], outbox, tenant=identity.tenant, session=session)
    with subscription.registered():
        await _found_place(state)
        after = websocket.query_params.get("after") if known else None
        place = await find_place(state["events"], state["snapshots"], subscription, known=known, after=after)
        pusher = Pusher(websocket.send_text, state["results"], subscription, epoch=place.epoch)
        welcome = frames.Welcome(session=session, seq=to_seq(place.after, place.epoch), recovered=place.recovered)
        await websocket.send_text(frames.encode(welcome))
        conversation = Conversation(state, identity, subscription, outbox)
        sending = _send(pusher, subscription, outbox, place)
        await _until_one_ends(_receive(websocket, conversation), sending, _verdict(outbox), _keep(state, subscription))


async def _found_place(state: State) -> None:
    """Events are only heard by who follows the stream. Raises Unavailable while Redis is away."""
    try:
        async with asyncio.timeout(PLACE_S):
            await state["dispatcher"].found_place.wait()
    except TimeoutError as error:
        raise Unavailable("Redis does not answer") from error


async def _receive(websocket: WebSocket[State], conversation: Conversation) -> None:
    # A snapshot that a client asks for must not overtake what it has missed.
    await conversation.subscription.begun.wait()
    while True:
        await conversation.hear(await _text(websocket))


async def _send(pusher: Pusher, subscription: Subscription, outbox: Outbox, place: Place) -> None:
    await pusher.replay(place.missed)
    subscription.begin(place.until)
    await pusher.run(outbox)


async def _verdict(outbox: Outbox) -> None:
    await outbox.closed.wait()
    raise outbox.verdict or Closing(UNEXPECTED, "")


async def _keep(state: State, subscription: Subscription) -> None:
    """A session lives as long as somebody is connected to it."""
    while True:
        await asyncio.sleep(state["settings"].session_ttl_s / 3)
        with suppress(CliplineError):
            await state["sessions"].touch(subscription.tenant, subscription.session)


async def _until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run together; whoever ends first ends all, and its error is ours."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        await end(tasks)
