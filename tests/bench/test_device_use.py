"""What a device did is read from a worker's metrics."""

from collections.abc import Iterator

import pytest
from prometheus_client import Counter, start_http_server

from bench import device_use
from workers.batches import Batched
from workers.metrics import Metrics


@pytest.fixture
def exported() -> Iterator[tuple[str, Metrics, Counter]]:
    """A worker's metrics, where they are told, and how long its device was busy."""
    metrics = Metrics()
    busy = Counter("clipline_device_busy_seconds", "Time that the device was busy.", registry=metrics.registry)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=metrics.registry)
    yield f"http://127.0.0.1:{server.server_port}", metrics, busy
    server.shutdown()
    server.server_close()
    thread.join()


def test_between_two_readings(exported: tuple[str, Metrics, Counter]) -> None:
    url, metrics, busy = exported
    before = device_use.read(url)
    for items, took_s in ((8, 0.02), (16, 0.04)):
        metrics.batched(Batched(kind="text", items=items, distinct=items, room=64, waits_s=[], took_s=took_s))
        busy.inc(took_s)
    metrics.batched(Batched(kind="image", items=1, distinct=1, room=8, waits_s=[], took_s=0.1))
    busy.inc(0.1)
    after = device_use.read(url)._replace(at_s=before.at_s + 0.32)
    found = device_use.between(before, after)
    assert found == {
        key: pytest.approx(value) for key, value in (("device_busy", 0.5), ("batch_texts", 12), ("batch_ms", 30))
    }


def test_where_nothing_was_encoded() -> None:
    idle = device_use.Use(at_s=1.0, busy_s=0.0, batches=0.0, texts=0.0, texts_s=0.0)
    assert set(device_use.between(idle, idle._replace(at_s=2.0)).values()) == {0.0}
