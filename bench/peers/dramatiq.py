"""dramatiq with threads: an idle worker looks for jobs every 5 ms instead of every second; results block in Redis."""

import threading
import time
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench.peers.protocol import (
    SLEEP_S,
    Counter,
    client_arguments,
    is_worker,
    ready,
    take_orders_blocking,
    worker_arguments,
)


def actors(url: str, counter: Counter | None) -> dict[str, Any]:
    """The actors by name, bound to a broker of this process; only a worker's count."""
    broker = RedisBroker(url=url)
    broker.add_middleware(Results(backend=RedisBackend(url=url), store_results=True))
    dramatiq.set_broker(broker)

    def noop(payload: Any) -> Any:
        if counter is not None:
            counter.add()
        return payload

    def sleep(payload: Any) -> Any:
        time.sleep(SLEEP_S)
        if counter is not None:
            counter.add()
        return payload

    named = {"noop": noop, "sleep": sleep}
    return {name: dramatiq.actor(function, actor_name=name, broker=broker) for name, function in named.items()}


class Dramatiq:
    def __init__(self, url: str) -> None:
        self.actors = actors(url, None)

    def round_trip(self) -> None:
        self.actors["noop"].send({"text": "a red apple"}).get_result(block=True, timeout=30_000)

    def enqueue(self, name: str) -> None:
        self.actors[name].send({"text": "a red apple"})


def work() -> None:
    arguments = worker_arguments()
    named = actors(arguments.url, arguments.counter)
    worker = dramatiq.Worker(
        named["noop"].broker, worker_threads=arguments.slots, worker_timeout=max(1, int(arguments.poll_s * 1000))
    )
    worker.start()
    ready()
    threading.Event().wait()


if __name__ == "__main__":
    if is_worker():
        work()
    else:
        take_orders_blocking(Dramatiq(client_arguments()[0]))
