"""The process that owns Qdrant Edge: killed, locked out, orphaned, stopped, and building a graph under load."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import uvloop

from shared.errors import CollectionNotFound, StoreAway
from shared.settings import Settings
from tests.workers.stores.conftest import edge_store
from tests.workers.stores.vectors import DIM, points, unit
from workers.stores.edge_collection import Collection
from workers.stores.plan import COARSE, EXACT_UP_TO, FINE, NARROWED, PROMISED_RECALL, Ask
from workers.stores.plan_trials import TRIALS
from workers.stores.protocol import Point, VectorQuery
from workers.stores.qdrant_edge import QdrantEdgeStore

pytestmark = pytest.mark.anyio

NAME = "test.pictures"
DEADLINE_S = 30.0


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for what another process does, without an event to tell of it."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            held = holds()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.01)


async def answers(store: QdrantEdgeStore) -> bool:
    try:
        await store.ping()
    except StoreAway:
        return False
    return True


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def threads(pid: int) -> list[str]:
    """What a process' threads are called."""
    return [(task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir()]


def pid_of(store: QdrantEdgeStore) -> int:
    assert store.pid is not None
    return store.pid


async def make(store: QdrantEdgeStore, *, dim: int = DIM) -> None:
    await store.create(NAME, dim=dim, indexes={"n": "integer"}, meta={"model": "m"})


async def test_killed_in_the_middle_of_upserts_it_keeps_every_acknowledged_point(edge: QdrantEdgeStore) -> None:
    await make(edge)
    acknowledged: list[int] = []
    refused = 0

    async def write(start: int) -> None:
        nonlocal refused
        for first in range(start, start + 2_000, 50):
            ids = range(first, first + 50)
            try:
                await edge.upsert(NAME, points(ids, seed=first))
            except StoreAway:
                refused += 1
            else:
                acknowledged.extend(ids)

    async def kill(after: int) -> None:
        await until(lambda: len(acknowledged) >= after)
        os.kill(pid_of(edge), signal.SIGKILL)

    await asyncio.gather(write(0), write(10_000), write(20_000), kill(1_000), kill(3_000))

    assert refused > 0
    found = await edge.retrieve(NAME, acknowledged)
    assert sorted(found) == sorted(acknowledged)
    assert (await edge.describe(NAME)).count >= len(acknowledged)


async def test_the_next_calls_after_a_kill_work(edge: QdrantEdgeStore) -> None:
    await make(edge)
    await edge.upsert(NAME, points(range(10), n=1))
    for _ in range(3):
        killed = pid_of(edge)
        os.kill(killed, signal.SIGKILL)
        await until(lambda killed=killed: edge.pid not in (killed, None))  # type: ignore[misc]
        await edge.upsert(NAME, points([99]))
        assert (await edge.describe(NAME)).count == 11


async def test_a_read_under_way_when_it_is_killed_is_answered_by_its_successor(edge: QdrantEdgeStore) -> None:
    await make(edge)
    await edge.upsert(NAME, points(range(10)))
    reads = [asyncio.create_task(edge.describe(NAME)) for _ in range(5)]
    os.kill(pid_of(edge), signal.SIGKILL)
    assert {described.count for described in await asyncio.gather(*reads)} == {10}


async def test_closing_leaves_no_process_and_refuses_further_calls(tmp_path: Path) -> None:
    async with edge_store(tmp_path) as store:
        await make(store)
        pid = pid_of(store)
    assert not alive(pid)
    with pytest.raises(StoreAway):
        await store.names()


async def test_closing_at_once_leaves_no_process(tmp_path: Path) -> None:
    async with edge_store(tmp_path) as store:
        pass
    assert store.pid is None


async def test_what_was_stored_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    async with edge_store(tmp_path) as store:
        await make(store)
        await store.upsert(NAME, points(range(100)))
    async with edge_store(tmp_path) as store:
        described = await store.describe(NAME)
    assert (described.count, described.meta) == (100, {"model": "m"})


async def test_a_folder_in_use_by_another_process_is_refused_and_comes_back(tmp_path: Path) -> None:
    async with edge_store(tmp_path) as first:
        await make(first)
        async with edge_store(tmp_path) as second:
            with pytest.raises(StoreAway, match=f"in use by another process .pid {pid_of(first)}"):
                await second.ping()
            await first.close()
            await until(lambda: answers(second))
            assert await second.names() == [NAME]


async def test_ctrl_c_and_sigterm_do_not_end_it(edge: QdrantEdgeStore) -> None:
    await edge.ping()
    pid = pid_of(edge)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    await edge.ping()
    assert pid_of(edge) == pid


async def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from shared.settings import Settings\n"
        "from workers.stores.qdrant_edge import QdrantEdgeStore\n"
        "async def main():\n"
        "    store = QdrantEdgeStore(Settings(data_dir=sys.argv[1]))\n"
        "    await store.start()\n"
        "    await store.ping()\n"
        "    print(store.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, tmp_path, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.communicate()
    await until(lambda: not alive(pid))


async def test_a_process_that_does_not_answer_gives_store_away(tmp_path: Path) -> None:
    store = QdrantEdgeStore(Settings(data_dir=str(tmp_path)), read_timeout_s=0.2)
    await store.start()
    try:
        await until(lambda: answers(store))
        os.kill(pid_of(store), signal.SIGSTOP)
        with pytest.raises(StoreAway, match="no answer"):
            await store.ping()
        os.kill(pid_of(store), signal.SIGCONT)
        await until(lambda: answers(store))
    finally:
        await store.close()


async def test_a_process_that_stays_stuck_is_replaced(tmp_path: Path) -> None:
    store = QdrantEdgeStore(Settings(data_dir=str(tmp_path)), read_timeout_s=3.0, stuck_s=1.0)
    await store.start()
    try:
        await until(lambda: answers(store))
        await store.create(NAME, dim=DIM, indexes={}, meta={})
        stuck = pid_of(store)
        os.kill(stuck, signal.SIGSTOP)
        with pytest.raises(StoreAway, match="no answer"):
            await store.ping()
        await until(lambda: not alive(stuck))
        await until(lambda: answers(store))
        assert await store.names() == [NAME]
    finally:
        await store.close()


async def test_a_collection_of_one_segment_is_searched_by_one_thread(edge: QdrantEdgeStore) -> None:
    await make(edge)
    await edge.upsert(NAME, points(range(100)))
    await edge.search(NAME, [VectorQuery(vector=unit(1)[0].tobytes(), limit=10)])
    assert sum(name.startswith("edge-search") for name in threads(pid_of(edge))) == 1


async def test_plans_are_tried_while_nobody_waits(tmp_path: Path) -> None:
    """Without copies to scan there is nothing but the exact scan before the graph is trusted."""
    count, dim = EXACT_UP_TO + 1, 256
    rows = unit(count, dim=dim)
    plans: list[str] = []
    async with edge_store(tmp_path, scan_copies=False) as edge:
        await make(edge, dim=dim)
        await edge.upsert(NAME, [Point(id=id_, vector=row.tobytes(), payload={}) for id_, row in enumerate(rows)])
        async with asyncio.timeout(DEADLINE_S):
            while "graph" not in plans:
                place = len(plans)
                [answer] = await edge.search(NAME, [VectorQuery(vector=rows[place].tobytes(), limit=10)])
                assert (len(answer), answer[0].id, answer.rounds) == (10, place, 1)
                plans.append(answer.plan)
    assert len(plans) > TRIALS
    assert set(plans[:-1]) == {"exact"}


@pytest.mark.slow
async def test_a_graph_is_built_while_searches_and_writes_go_on_and_nothing_is_lost(edge: QdrantEdgeStore) -> None:
    count = EXACT_UP_TO + 1_000
    rows = unit(count)
    await make(edge)
    await edge.upsert(NAME, [Point(id=i, vector=rows[i].tobytes(), payload={"n": i}) for i in range(count)])
    build = asyncio.create_task(edge.optimize(NAME))
    searches = 0
    # On a slow machine a build outlasts the points: the deletions come from the other end.
    while not build.done() and searches < count // 3:
        [hits] = await edge.search(NAME, [VectorQuery(vector=rows[searches].tobytes(), limit=1)])
        assert hits[0].id == searches
        await edge.upsert(NAME, points([count + searches], seed=searches, n=-1))
        await edge.delete(NAME, [count - 1 - searches])
        searches += 1
    await build

    assert searches > 0
    assert (await edge.describe(NAME)).count == count
    added = await edge.retrieve(NAME, list(range(count, count + searches)))
    assert {point.payload["n"] for point in added.values()} == {-1}
    assert len(added) == searches
    assert await edge.retrieve(NAME, list(range(count - searches, count))) == {}


@pytest.mark.slow
async def test_after_a_build_the_graph_is_there_and_the_old_shard_is_not(tmp_path: Path) -> None:
    async with edge_store(tmp_path) as store:
        await make(store)
        await store.upsert(NAME, points(range(EXACT_UP_TO + 1)))
        await asyncio.gather(store.optimize(NAME), store.optimize(NAME))
    folder = Settings(data_dir=str(tmp_path)).store_path / NAME
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1
    collection = Collection(NAME, folder)
    assert collection.unindexed == 0
    collection.close()


@pytest.mark.slow
@pytest.mark.parametrize("quantize", [True, False])
async def test_graphs_and_scans_keep_the_promise_after_a_build_with_and_without_smaller_copies(
    tmp_path: Path, quantize: bool
) -> None:
    dim, count = 32, EXACT_UP_TO + 1
    rows = unit(count, dim=dim)
    store = QdrantEdgeStore(Settings(data_dir=str(tmp_path), quantize=quantize))
    await store.start()
    await store.create(NAME, dim=dim, indexes={}, meta={})
    await store.upsert(NAME, [Point(id=id_, vector=row.tobytes(), payload={}) for id_, row in enumerate(rows)])
    await store.optimize(NAME)
    await store.close()
    collection = Collection(NAME, Settings(data_dir=str(tmp_path)).store_path / NAME)
    copies = [path for path in collection.shard_path.rglob("quantized*") if path.is_file()]
    queries = unit(20, dim=dim, seed=1)
    query = VectorQuery(vector=b"", limit=10, payload=False)
    asked = [msgspec.structs.replace(query, vector=row.tobytes()) for row in queries]
    scan = COARSE[2].plan(10)
    plans = NARROWED[-1].plan(10), FINE[0].plan(10), scan, scan._replace(fetched=scan.rescored)
    found = [collection.ask([Ask(one, plan) for one in asked]) for plan in plans]
    collection.close()

    assert bool(copies) == quantize
    best = np.argsort(-(queries @ rows.T), axis=1)[:, :10].tolist()
    for hits in found:
        shared = [len({hit.id for hit in some} & set(wanted)) for some, wanted in zip(hits, best, strict=True)]
        assert sum(shared) >= PROMISED_RECALL * queries.shape[0] * 10


@pytest.mark.slow
async def test_killed_during_a_build_the_collection_is_as_before(edge: QdrantEdgeStore) -> None:
    count = EXACT_UP_TO + 500
    await make(edge)
    await edge.upsert(NAME, points(range(count)))
    build = asyncio.create_task(edge.optimize(NAME))
    await edge.upsert(NAME, points([count]))
    os.kill(pid_of(edge), signal.SIGKILL)
    with pytest.raises(StoreAway):
        await build
    assert (await edge.describe(NAME)).count == count + 1
    await edge.optimize(NAME)
    assert (await edge.describe(NAME)).count == count + 1


async def test_a_collection_dropped_during_its_build_is_gone(edge: QdrantEdgeStore) -> None:
    await make(edge)
    await edge.upsert(NAME, points(range(EXACT_UP_TO + 1)))
    build = asyncio.create_task(edge.optimize(NAME))
    await edge.ping()
    await edge.drop(NAME)
    with pytest.raises(CollectionNotFound):
        await build
    assert await edge.names() == []


def test_it_works_under_uvloop(tmp_path: Path) -> None:
    async def main() -> int:
        async with edge_store(tmp_path) as store:
            await make(store)
            await store.upsert(NAME, points(range(300)))
            killed = pid_of(store)
            os.kill(killed, signal.SIGKILL)
            count = (await store.describe(NAME)).count
        assert store.pid is None
        return count

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == 300
