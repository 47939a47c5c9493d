"""A real API process for tests, except that it is a thread: its own event loop, its own sockets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from api.server import Server, bind, build, url_of
from shared.settings import Settings

START_S = 20.0


class Api:
    """A running API."""

    def __init__(self, url: str, server: Server, thread: threading.Thread) -> None:
        self.url = url
        self.server = server
        self.thread = thread

    @property
    def ws_url(self) -> str:
        return self.url.replace("http://", "ws://") + "/v1/ws"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(START_S)
        assert not self.thread.is_alive()


@contextmanager
def serving(settings: Settings) -> Iterator[Api]:
    server, sock = build(settings), bind(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="api")
    thread.start()
    api = Api(url_of(sock), server, thread)
    try:
        ends = monotonic() + START_S
        while not server.started:
            assert thread.is_alive()
            assert monotonic() < ends
            sleep(0.005)
        yield api
    finally:
        api.stop()
