"""Redis full, read-only, restarted, with its scripts forgotten, behind Sentinels: nothing accepted is lost."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from arq.connections import ArqRedis
from arq.worker import func
from redis import Redis
from redis.exceptions import ResponseError

from shared import keys, sentinel
from shared.connection import connect, known, redis_errors, refuse_eviction, thread_client
from shared.errors import QueueAway, QueueFull
from shared.events import START, Events
from shared.pipe import Pipe
from shared.queue import Queue
from shared.settings import Settings, SettingsError
from tests.redis_server import RedisServer, binary
from tests.shared.hand import a_search
from tests.workers.fleet import WITHIN_S, eventually, running_worker
from workers.claiming import Claims
from workers.lease import LeaseKeeper

pytestmark = pytest.mark.anyio

Context = dict[Any, Any]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(persistent=True) as one:
        yield one


@pytest.fixture
def settings(server: RedisServer) -> Settings:
    return Settings(redis_url=server.url)


async def fine(ctx: Context, payload: dict[str, Any], **_: Any) -> str:
    return "fine"


async def test_without_memory_new_jobs_are_refused_and_the_others_run(redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, settings)
    sent = await queue.submit(a_search(), tenant="t")
    await redis.config_set("maxmemory", 1)
    before = await redis.dbsize()
    with pytest.raises(QueueFull, match="memory"):
        await queue.submit(a_search(), tenant="t")
    assert await redis.dbsize() == before
    async with running_worker(settings, [func(fine, name="search")]):
        job = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
    await redis.config_set("maxmemory", 0)
    assert (job.state, job.attempts) == ("succeeded", 1)


async def test_a_running_job_ends_although_redis_has_no_memory(redis: ArqRedis, settings: Settings) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    async def run(ctx: Context, payload: dict[str, Any], **_: Any) -> str:
        started.set()
        await may_end.wait()
        return "through"

    queue = Queue(redis, settings)
    async with running_worker(settings, [func(run, name="search")]):
        sent = await queue.submit(a_search(), tenant="t")
        await started.wait()
        await redis.config_set("maxmemory", 1)
        may_end.set()
        job = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
    assert job.state == "succeeded"


async def test_a_replica_takes_no_jobs_and_a_worker_goes_on_when_it_is_promoted(
    redis: ArqRedis, settings: Settings
) -> None:
    queue = Queue(redis, settings)
    sent = await queue.submit(a_search(), tenant="t")
    await redis.replicaof("127.0.0.1", "1")
    with pytest.raises(QueueAway):
        await queue.submit(a_search(), tenant="t")
    async with running_worker(settings, [func(fine, name="search")]):
        await redis.replicaof("NO", "ONE")
        job = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
    assert job.state == "succeeded"


async def test_a_worker_that_waits_for_jobs_goes_on_when_its_redis_is_a_replica_for_a_while(
    redis: ArqRedis, settings: Settings
) -> None:
    queue = Queue(redis, settings)
    async with running_worker(settings, [func(fine, name="search")]):
        await eventually(lambda: _waiting(redis, 2))
        await redis.replicaof("127.0.0.1", "1")
        await redis.replicaof("NO", "ONE")
        sent = await queue.submit(a_search(), tenant="t")
        job = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
    assert job.state == "succeeded"


async def test_who_follows_the_events_of_a_redis_that_becomes_a_replica_is_told_that_it_is_away(
    redis: ArqRedis, settings: Settings
) -> None:
    async with connect(settings, blocking=True) as blocking:
        following = asyncio.create_task(Events(redis, blocking=blocking).follow(START))
        await eventually(lambda: _waiting(redis, 1))
        await redis.replicaof("127.0.0.1", "1")
        with pytest.raises(QueueAway):
            await following


async def _waiting(redis: ArqRedis, count: int) -> bool:
    """Whether so many connections wait in Redis for news."""
    return int((await redis.info("clients"))["blocked_clients"]) >= count


async def test_forgotten_scripts_are_sent_again(redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, settings)
    async with running_worker(settings, [func(fine, name="search")]):
        for _ in range(2):
            sent = await queue.submit(a_search(), tenant="t")
            assert (await queue.wait("t", sent.id, timeout_s=WITHIN_S)).state == "succeeded"
            await redis.script_flush()


async def test_jobs_outlive_a_restart_of_redis(server: RedisServer, redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, settings)
    await redis.config_set("appendfsync", "always")
    sent = await queue.submit(a_search(), tenant="t")
    started, may_end = asyncio.Event(), asyncio.Event()

    async def run(ctx: Context, payload: dict[str, Any], **_: Any) -> str:
        started.set()
        await may_end.wait()
        return "through"

    async with running_worker(settings, [func(run, name="search")]):
        await started.wait()
        await asyncio.to_thread(server.stop)
        may_end.set()
        await asyncio.to_thread(server.start)
        job = await queue.wait("t", sent.id, timeout_s=20)
    assert job.state == "succeeded"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_redis_that_evicts_is_refused_with_the_reason(redis: ArqRedis, policy: str) -> None:
    await refuse_eviction(redis)
    await redis.config_set("maxmemory-policy", policy)
    with pytest.raises(SettingsError, match=policy):
        await refuse_eviction(redis)


async def test_the_policy_is_found_where_config_is_forbidden(redis: ArqRedis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    await redis.execute_command("ACL", "SETUSER", "default", "-config")
    with pytest.raises(SettingsError, match="allkeys-lru"):
        await refuse_eviction(redis)


def test_a_mistake_of_ours_is_no_outage() -> None:
    assert known(ResponseError("WRONGTYPE Operation against a key")) is None
    assert isinstance(known(ResponseError("Error running script: -OOM command not allowed when …")), QueueFull)
    assert isinstance(known(ResponseError("UNBLOCKED force unblock from blocking operation, …")), QueueAway)
    assert isinstance(known(ResponseError("-READONLY You can't write against a read only replica")), QueueAway)


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "turns"])
async def test_the_leases_of_a_hung_loop_lapse(redis: ArqRedis, settings: Settings, *, hangs: bool) -> None:
    quick = msgspec.structs.replace(settings, lease_s=0.3, hang_s=0.05)
    await Queue(redis, quick).submit(a_search(), tenant="t")
    (running,) = (await Claims(Pipe(redis), quick, worker_id="w").take({"interactive": 1})).jobs
    keeper = LeaseKeeper(
        quick,
        worker_id="w",
        running=lambda: [running],
        stop=lambda job_id, why: None,
        ask_loop=(lambda call: None) if hangs else (lambda call: call()),
    )
    renewed = asyncio.Event()
    loop = asyncio.get_running_loop()
    renew = keeper.renew_once

    def seen() -> None:
        renew()
        loop.call_soon_threadsafe(renewed.set)

    keeper.renew_once = seen  # type: ignore[method-assign]
    if not hangs:
        keeper.hang_s = 60.0
    keeper.start()
    try:
        if hangs:
            await eventually(lambda: _lapsed(redis, running.job_id))
            assert not renewed.is_set()
        else:
            await renewed.wait()
            # A machine that stood still may have let it lapse: then the next renewal takes it again.
            await eventually(lambda: redis.exists(keys.ARQ_LEASE + running.job_id))
    finally:
        await asyncio.to_thread(keeper.close)


async def _lapsed(redis: ArqRedis, job_id: str) -> bool:
    return not await redis.exists(keys.ARQ_LEASE + job_id)


# -- Sentinel


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def watched() -> Iterator[tuple[str, list[int]]]:
    """A master, its replica and a Sentinel; the URL, and the ports of the two."""
    folder = Path(tempfile.mkdtemp(prefix="clipline-sentinel-"))
    first, second, third = free_ports(3)
    config = folder / "sentinel.conf"
    config.write_text(
        f"port {third}\ndir {folder}\nsentinel monitor main 127.0.0.1 {first} 1\n"
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
    )
    commands = [
        [binary(), "--port", str(first), "--save", "", "--dir", str(folder)],
        [binary(), "--port", str(second), "--save", "", "--dir", str(folder), "--replicaof", "127.0.0.1", str(first)],
        [binary(), str(config), "--sentinel"],
    ]
    servers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    try:
        yield f"redis+sentinel://127.0.0.1:{third}/main/0", [first, second]
    finally:
        for one in servers:
            one.kill()
            one.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_master_found_by_sentinels_serves_queue_worker_and_leases_also_after_a_fail_over() -> None:
    with watched() as (url, ports):
        there = Settings(redis_url=url)
        async with connect(there) as redis:
            queue = Queue(redis, there)
            await eventually(lambda: _answers(redis))
            await eventually(lambda: _has_replica(ports[0]), within_s=20)
            async with running_worker(there, [func(fine, name="search")]):
                sent = await queue.submit(a_search(), tenant="t")
                assert (await queue.wait("t", sent.id, timeout_s=WITHIN_S)).state == "succeeded"
                client = thread_client(url, timeout_s=2.0)
                assert client.ping()
                sentinel.close_sync(client)
                await eventually(lambda: asyncio.to_thread(_fail_over, url), within_s=25)
                await eventually(lambda: _submitted(queue), within_s=20)


async def _answers(redis: ArqRedis) -> bool:
    try:
        with redis_errors():
            return bool(await redis.ping())
    except QueueAway:
        return False


def _has_replica(port: int) -> bool:
    with Redis(port=port) as client:
        found = client.info("replication")
    return bool(found.get("slave0", {}).get("state") == "online")


def _fail_over(url: str) -> bool:
    """Whether the Sentinel began; it must have looked at the replica first."""
    host, port = sentinel.parse(url).sentinels[0]
    with Redis(host=host, port=port) as client:
        try:
            client.execute_command("SENTINEL", "FAILOVER", "main")
        except ResponseError:
            return False
    return True


async def _submitted(queue: Queue) -> bool:
    """Whether a job goes through now; while nobody is master the queue says that it is away."""
    try:
        sent = await queue.submit(a_search(), tenant="t")
    except QueueAway:
        return False
    return (await queue.wait("t", sent.id, timeout_s=WITHIN_S)).state == "succeeded"


@pytest.mark.parametrize(
    ("url", "hosts", "master", "db"),
    [
        ("redis+sentinel://a:1,b:2/main/3", [("a", 1), ("b", 2)], "main", 3),
        ("redis+sentinel://a/main", [("a", 26379)], "main", 0),
        ("rediss+sentinel://me:p%40ss@[::1]:5/main", [("::1", 5)], "main", 0),
    ],
)
def test_addresses_of_sentinels_are_read(url: str, hosts: list[tuple[str, int]], master: str, db: int) -> None:
    place = sentinel.parse(url)
    assert (place.sentinels, place.master, place.db) == (hosts, master, db)


@pytest.mark.parametrize("url", ["redis+sentinel://a:1", "redis+sentinel://a:x/main", "redis+sentinel:///main"])
def test_a_bad_address_of_sentinels_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match="CLIPLINE_REDIS_URL"):
        sentinel.parse(url)


async def test_a_worker_drains_while_redis_is_away(server: RedisServer, redis: ArqRedis, settings: Settings) -> None:
    async with running_worker(settings, [func(fine, name="search")]) as worker:
        sent = await Queue(redis, settings).submit(a_search(), tenant="t")
        await Queue(redis, settings).wait("t", sent.id, timeout_s=WITHIN_S)
        server.stop()
        await worker.drain()
        assert worker.main_task is not None
        assert worker.main_task.done()
