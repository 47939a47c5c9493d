"""Celery with its thread pool, one process; without gossip, mingle, heartbeats and events. Nothing polls."""

import time
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from bench.peers.protocol import (
    SLEEP_S,
    Counter,
    client_arguments,
    is_worker,
    ready,
    take_orders_blocking,
    worker_arguments,
)


def application(url: str, counter: Counter | None) -> Any:
    """The app with its two tasks; only a worker's count."""
    # kombu spells a unix socket differently from redis-py.
    where = url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
    app = Celery("bench", broker=where, backend=where)
    app.conf.update(
        worker_send_task_events=False, worker_redirect_stdouts=False, broker_connection_retry_on_startup=True
    )

    def noop(payload: Any) -> Any:
        if counter is not None:
            counter.add()
        return payload

    def sleep(payload: Any) -> Any:
        time.sleep(SLEEP_S)
        if counter is not None:
            counter.add()
        return payload

    app.task(name="noop")(noop)
    app.task(name="sleep")(sleep)
    return app


class CeleryClient:
    def __init__(self, url: str) -> None:
        self.app = application(url, None)
        self.app.finalize()

    def round_trip(self) -> None:
        self.app.tasks["noop"].delay({"text": "a red apple"}).get(timeout=30)

    def enqueue(self, name: str) -> None:
        self.app.tasks[name].delay({"text": "a red apple"})


def work() -> None:
    arguments = worker_arguments()
    app = application(arguments.url, arguments.counter)
    worker_ready.connect(lambda **_: ready(), weak=False)
    options = ["--pool=threads", f"--concurrency={arguments.slots}", "--loglevel=ERROR"]
    app.worker_main(["--quiet", "worker", *options, "--without-gossip", "--without-mingle", "--without-heartbeat"])


if __name__ == "__main__":
    if is_worker():
        work()
    else:
        take_orders_blocking(CeleryClient(client_arguments()[0]))
