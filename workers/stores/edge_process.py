"""The process that owns Qdrant Edge: it answers calls that arrive on a socket, one at a time.

Edge holds the interpreter during every call and locks its folder, so it lives here, never beside an event loop. What
people wait for goes before writes, and both before the last steps of an index build. What only teaches the planner has
to wait for a pause. The parent bounds what is under way, and so these queues.
"""

import logging
import os
import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from shared.errors import CliplineError
from shared.logs import configure
from shared.settings import Settings, from_env
from workers.stores import edge_wire as wire
from workers.stores.edge_builds import Builds
from workers.stores.edge_collections import FLUSH_AFTER_POINTS, Collections
from workers.stores.process import die_with_parent, outlive_signals

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
IDLE_FLUSH_S = 0.2
# A write gets its turn after this many reads, so that a steady stream of searches does not stop an ingest.
READS_PER_WRITE = 16
# So long nothing came in: whoever searched looks at what was found. Where there are no pauses a trial gets its turn
# after so many reads, as searches are slow until it is made.
PAUSE_S = 0.05
READS_PER_TRIAL = 8

_HANDLERS: dict[type, Callable[[Collections, Any], object]] = {
    wire.Ping: lambda _, call: None,
    wire.Names: lambda all_, call: all_.names(),
    wire.Describe: lambda all_, call: all_.get(call.name).describe(),
    wire.Retrieve: lambda all_, call: all_.get(call.name).retrieve(call.ids, vectors=call.vectors),
    wire.Scroll: lambda all_, call: all_.get(call.name).scroll(call.start, limit=call.limit),
    wire.Search: lambda all_, call: all_.get(call.name).search(call.queries),
    wire.Sample: lambda all_, call: all_.get(call.name).sample(call.limit),
    wire.Facets: lambda all_, call: all_.get(call.name).facets(call.queries),
    wire.Ordered: lambda all_, call: all_.get(call.name).ordered(call.query),
    wire.Create: lambda all_, call: all_.create(call.name, dim=call.dim, indexes=call.indexes, meta=call.meta),
    wire.Drop: lambda all_, call: all_.drop(call.name),
    wire.SetMeta: lambda all_, call: all_.get(call.name).set_meta(call.meta),
    wire.Upsert: lambda all_, call: all_.get(call.name).upsert(call.points),
    wire.SetPayloads: lambda all_, call: all_.get(call.name).set_payloads(call.payloads),
    wire.Delete: lambda all_, call: all_.get(call.name).delete(call.ids),
}


class Server:
    """Reads calls, runs them in order of urgency, replies."""

    def __init__(self, connection: socket.socket, collections: Collections) -> None:
        self._connection = connection
        self._collections = collections
        self._frames = wire.Frames()
        self._decoder = msgspec.msgpack.Decoder(wire.Request)
        self._reads: deque[wire.Request] = deque()
        self._writes: deque[wire.Request] = deque()
        self._reads_in_a_row = 0
        self._reads_since_trial = 0
        self._paused = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ, self._on_calls)
        self._builds = Builds(collections, self._selector, self._send)
        self._connected = True

    def run(self) -> None:
        """Until the parent closes its end; calls that came before are still carried out."""
        self._send(wire.Reply(wire.HELLO))
        while self._connected:
            self._wait()
            self._work()
        while self._work():
            continue
        self._builds.close()
        self._selector.close()

    def _wait(self) -> None:
        """For something to do; flushes when there is a longer pause."""
        timeout_s = self._patience_s()
        ready = self._selector.select(timeout_s)
        for key, _ in ready:
            key.data()
        self._paused = not ready and (self._paused or bool(timeout_s))
        if not ready and timeout_s and not self._collections.has_trials:
            self._collections.flush()

    def _patience_s(self) -> float | None:
        if self._runnable():
            return 0.0
        if self._collections.has_trials:
            return PAUSE_S
        return IDLE_FLUSH_S if self._collections.unflushed else None

    def _runnable(self) -> bool:
        return bool(self._reads) or self._next_write() is not None or self._builds.runnable or self._trial_due()

    def _trial_due(self) -> bool:
        due = self._paused or self._reads_since_trial >= READS_PER_TRIAL
        return due and self._connected and self._collections.has_trials

    def _on_calls(self) -> None:
        try:
            data = self._connection.recv(CHUNK_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._connected = False
            self._selector.unregister(self._connection)
        for body in self._frames.feed(data):
            request = self._decoder.decode(body)
            self._accept(request)

    def _accept(self, request: wire.Request) -> None:
        if isinstance(request.call, wire.Optimize):
            self._builds.add(request.id, request.call.name)
        elif isinstance(request.call, wire.Read):
            self._reads.append(request)
        else:
            self._writes.append(request)

    def _work(self) -> bool:
        """The most urgent thing; false when there is none."""
        write = self._next_write()
        if self._reads_since_trial >= READS_PER_TRIAL and self._trial_due():
            self._try()
        elif self._reads and (write is None or self._reads_in_a_row < READS_PER_WRITE):
            self._reads_in_a_row += 1
            self._reads_since_trial = self._reads_since_trial + 1 if self._collections.has_trials else 0
            self._answer(self._reads.popleft())
        elif write is not None:
            self._reads_in_a_row = 0
            self._write(write)
        elif self._builds.runnable:
            self._builds.advance()
        elif self._trial_due():
            self._try()
        else:
            return False
        return True

    def _try(self) -> None:
        self._reads_since_trial = 0
        try:
            self._collections.try_one()
        except Exception:
            logger.exception("a trial of a plan failed")

    def _next_write(self) -> wire.Request | None:
        """The oldest write that need not wait for its collection to be copied."""
        return next((one for one in self._writes if not self._builds.copying(one.call.name)), None)

    def _write(self, request: wire.Request) -> None:
        self._writes.remove(request)
        if isinstance(request.call, wire.Drop):
            self._builds.dropped(request.call.name)
        self._answer(request)
        self._collections.flush(at_least=FLUSH_AFTER_POINTS)

    def _answer(self, request: wire.Request) -> None:
        self._attempt(request.id, lambda: _HANDLERS[type(request.call)](self._collections, request.call))

    def _attempt(self, id_: int, work: Callable[[], object]) -> None:
        """Reply with what `work` returns, or with why it failed."""
        try:
            self._send(wire.Reply(id_, msgspec.Raw(msgspec.msgpack.encode(work()))))
        except CliplineError as error:
            self._send(wire.Reply(id_, failure=wire.failure_of(error)))
        except Exception as error:
            # Edge raises plain exceptions, for a full disk as for a broken file.
            logger.exception("call %d failed", id_)
            self._send(wire.Reply(id_, failure=wire.failure_of(error)))

    def _send(self, reply: wire.Reply) -> None:
        try:
            self._connection.sendall(wire.frame(reply))
        except ConnectionError:
            self._connected = False


def serve(connection: socket.socket, settings: Settings) -> None:
    """Raises nothing: a folder that cannot be opened is told as the first frame's failure."""
    try:
        collections = Collections(settings.store_path, scan_copies=settings.scan_copies)
    except (CliplineError, OSError) as error:
        connection.sendall(wire.frame(wire.Reply(wire.HELLO, failure=wire.failure_of(error))))
        return
    Server(connection, collections).run()
    collections.close()


def main(descriptor: int, parent: int) -> None:
    outlive_signals()
    die_with_parent(parent)
    settings = from_env(os.environ)
    configure(settings)
    with socket.socket(fileno=descriptor) as connection:
        serve(connection, settings)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
