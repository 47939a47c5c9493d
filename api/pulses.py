"""Tells dashboards that something happened, so that they need not ask when nothing did."""

import asyncio
from weakref import WeakSet

from api.dispatcher import Dispatcher
from api.frames import Pulse
from api.outbox import Outbox

EVERY_S = 0.5
# An outbox with more waiting has a pulse in it already.
CROWDED = 8


class Pulses:
    """Looks at how far the process has followed the events: no question to Redis, however many dashboards are open."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        # Connections that end leave by themselves.
        self._outboxes: WeakSet[Outbox] = WeakSet()

    def add(self, outbox: Outbox) -> None:
        """The first pulse comes at once: what happened before is not known."""
        self._outboxes.add(outbox)
        outbox.put(Pulse())

    async def run(self) -> None:
        """Until cancelled."""
        told = self.dispatcher.position
        while True:
            await asyncio.sleep(EVERY_S)
            if self.dispatcher.position != told:
                told = self.dispatcher.position
                self._tell()

    def _tell(self) -> None:
        for outbox in list(self._outboxes):
            if len(outbox) < CROWDED:
                outbox.put(Pulse())
