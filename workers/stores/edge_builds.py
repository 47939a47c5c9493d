"""The index builds of one process: one runs, the others wait their turn."""

import logging
import selectors
from collections import deque
from collections.abc import Callable

from shared.errors import CollectionNotFound
from workers.stores import edge_wire as wire
from workers.stores.edge_build import Build, is_due
from workers.stores.edge_collections import Collections

logger = logging.getLogger(__name__)

# Further requests for the same collection join its build, so these are as many as collections wait.
Waiting = deque[tuple[str, list[int]]]


class Builds:
    """Starts, advances and ends builds; every request is replied to when its build ends."""

    def __init__(
        self,
        collections: Collections,
        selector: selectors.BaseSelector,
        reply: Callable[[wire.Reply], None],
    ) -> None:
        self._collections = collections
        self._selector = selector
        self._reply = reply
        self._waiting: Waiting = deque()
        self._build: Build | None = None
        self._requests: list[int] = []

    def add(self, request: int, name: str) -> None:
        """One that comes while its collection is being built waits for the next build: it may mean newer points."""
        for waiting, requests in self._waiting:
            if waiting == name:
                requests.append(request)
                return
        self._waiting.append((name, [request]))

    @property
    def runnable(self) -> bool:
        return bool(self._waiting) if self._build is None else self._build.built

    def copying(self, name: str) -> bool:
        """Whether writes to that collection must wait."""
        return self._build is not None and self._build.copying and self._build.collection.name == name

    def advance(self) -> None:
        """One short step."""
        try:
            self._advance()
        except Exception as error:
            logger.exception("an index build failed")
            self._abort(wire.failure_of(error))

    def _advance(self) -> None:
        if self._build is None:
            self._start()
        elif self._build.built and self._build.step():
            self._build = None
            self._answer(None)

    def _start(self) -> None:
        name, self._requests = self._waiting.popleft()
        collection = self._collections.get(name)
        if not is_due(collection):
            self._answer(None)
            return
        self._build = Build(collection)
        self._selector.register(self._build, selectors.EVENT_READ, self._on_readable)

    def _on_readable(self) -> None:
        build = self._build
        assert build is not None, "registered while it runs"
        try:
            if build.on_readable():
                self._selector.unregister(build)
        except Exception as error:
            logger.exception("an index build failed")
            self._abort(wire.failure_of(error))

    def dropped(self, name: str) -> None:
        """The collection is about to go, and its build with it."""
        if self._build is not None and self._build.collection.name == name:
            self._abort(wire.failure_of(CollectionNotFound("the collection was dropped")))

    def close(self) -> None:
        """Requests without an answer see the connection end."""
        self._requests = []
        self._abort(None)

    def _abort(self, failure: wire.Failure | None) -> None:
        if self._build is not None:
            if self._build in self._selector.get_map():
                self._selector.unregister(self._build)
            self._build.cancel()
            self._build = None
        self._answer(failure)

    def _answer(self, failure: wire.Failure | None) -> None:
        for request in self._requests:
            self._reply(wire.Reply(request, failure=failure))
        self._requests = []
