"""One websocket that stays: hello, welcome, heartbeat, and reconnecting where it left off."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import msgspec

from client import frames
from client.address import Address
from client.backoff import Backoff
from shared.errors import CliplineError, Forbidden, Unauthorized

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

logger = logging.getLogger(__name__)

NOT_ALLOWED = 1008
TOO_LARGE = 1009
TRY_LATER = 1013
TRY_LATER_S = 2.0
WELCOME_S = 15.0
# A result with a thousand large payloads; what the server sends is bounded by what was asked for.
MAX_FRAME_BYTES = 64 * 2**20


class Welcomed(Protocol):
    """Told of each welcome; `recovered` when nothing was missed."""

    def __call__(self, *, recovered: bool) -> Coroutine[Any, Any, None]: ...


@dataclass(frozen=True, slots=True)
class Handlers:
    """Who is told of each frame, of each welcome and of each loss, with its close code where there is one."""

    frame: Callable[[frames.ServerFrame], None]
    welcome: Welcomed
    lost: Callable[[int | None], None]


class Connection:
    """Runs until it is cancelled, or until the server turns it away."""

    def __init__(
        self, address: Address, *, key: str | None, handlers: Handlers, backoff: Backoff, session: str | None = None
    ) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._on = handlers
        self._backoff = backoff
        self._socket: ClientConnection | None = None
        self._session = session
        self._after: str | None = None
        self.welcomes = 0

    @property
    def session(self) -> str | None:
        """The one that was given; from the first welcome on, the one that the server grants."""
        return self._session

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    async def run(self) -> None:
        """Raises CliplineError when the server does not want this client at all."""
        # Half of the client's uses never open a websocket, and its library takes a while to import.
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

        while True:
            code: int | None = None
            try:
                await self._talk()
            except InvalidStatus as error:
                _require_welcome(error.response.status_code)
                logger.info("websocket refused with %d", error.response.status_code)
            except ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd else None
                logger.info("websocket lost (%s)", code or "no close frame")
            except (OSError, TimeoutError, InvalidHandshake) as error:
                logger.info("websocket not opened: %s", str(error) or type(error).__name__)
            self._on.lost(code)
            if code == NOT_ALLOWED:
                raise Unauthorized
            await asyncio.sleep(self._backoff.next_s(at_least_s=TRY_LATER_S if code == TRY_LATER else 0.0))

    async def say(self, op: str, **fields: Any) -> None:
        """Does nothing while the connection is away: after a welcome everything open is said again."""
        if self._socket is not None:
            await self._write(self._socket, op, **fields)

    async def renew(self) -> None:
        """Forget the session, which the server no longer knows, and ask for another."""
        self._session = self._after = None
        if self._socket is not None:
            await self._socket.close()

    async def _talk(self) -> None:
        from websockets.asyncio.client import connect

        socket = connect(
            self._target(),
            additional_headers=self._headers,
            max_size=MAX_FRAME_BYTES,
            compression=None,
            proxy=None if self._address.is_loopback else True,
        )
        async with socket as opened:
            try:
                await self._listen(opened)
            finally:
                self._socket = None

    async def _listen(self, socket: "ClientConnection") -> None:
        async with asyncio.timeout(WELCOME_S):
            first = frames.decode(await socket.recv())
        if not isinstance(first, frames.Welcome):
            raise OSError("the server did not say welcome")
        recovered = self._welcomed(first)
        self._socket = socket
        # Beside the reading: a server that still replays hears us only when we have read it all.
        resuming = asyncio.create_task(self._on.welcome(recovered=recovered))
        try:
            while True:
                self._hear(await socket.recv())
        finally:
            resuming.cancel()

    def _target(self) -> str:
        if self._session is None:
            return self._address.websocket
        resume = {"session": self._session} | ({"after": self._after} if self._after else {})
        return f"{self._address.websocket}?{urlencode(resume)}"

    def _welcomed(self, welcome: frames.Welcome) -> bool:
        recovered = welcome.recovered and welcome.session == self._session and self._after is not None
        # Of a resumed session the replay is still to come: our own place counts until its frames arrive.
        if not recovered or self._after is None:
            self._after = welcome.seq
        self._session = welcome.session
        self.welcomes += 1
        self._backoff.reset()
        return recovered

    def _hear(self, text: str | bytes) -> None:
        frame = frames.decode(text)
        if frame is None:
            return
        if isinstance(frame, frames.JobEvent | frames.JobResult | frames.SessionChanged):
            self._after = frame.seq
        self._on.frame(frame)

    async def _write(self, socket: "ClientConnection", op: str, **fields: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        given = {name: value for name, value in fields.items() if value is not None}
        try:
            await socket.send(msgspec.json.encode({"op": op, **given}).decode())
        except ConnectionClosed:
            # The reader finds the same, and connects again.
            logger.debug("%s was not sent", op)


def _require_welcome(status: int) -> None:
    """Raises the error that no further attempt would mend."""
    kinds: dict[int, type[CliplineError]] = {kind.status: kind for kind in (Unauthorized, Forbidden)}
    if status in kinds:
        raise kinds[status]
