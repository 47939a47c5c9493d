"""A collection of the embedded store from before there were copies to scan gets them by a reindex."""

from pathlib import Path

import msgspec
import pytest

from shared.jobs import Query, Reindex, ReindexResult
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.workers.tasks.stack import settings_for, working
from workers.stores import edge_folder
from workers.stores.edge_collection import Collection
from workers.stores.plan import EXACT, FINE, Ask
from workers.stores.protocol import VectorQuery

pytestmark = pytest.mark.anyio

COUNT = 5
NAME, STORED = "old", "t.old"


async def test_a_reindex_makes_the_copies_that_an_old_collection_lacks(
    redis_server: RedisServer, tiny_model: Path, tmp_path: Path
) -> None:
    redis_server.flush()
    settings = settings_for(redis_server.url, tiny_model, tmp_path)
    async with working(msgspec.structs.replace(settings, scan_copies=False)) as stack:
        await stack.create(name=NAME, payload={"n": "integer"})
        await stack.ingest(NAME, [stack.file(f"p{number}.png", payload={"n": number}) for number in range(COUNT)])
    make_older(settings)

    async with working(settings) as stack:
        before = await stack.search(NAME, Query(text="cat"))
        assert not edge_folder.read_description(settings.store_path / STORED).scan_copies
        result = msgspec.convert(await stack.answer(Reindex(collection=NAME)), ReindexResult)
        assert (result.switched, result.encoded, result.count) == (True, COUNT, COUNT)
        after = await stack.search(NAME, Query(text="cat"))
        assert [hit.id for hit in after.hits or []] == [hit.id for hit in before.hits or []]
        [vector, *_] = (await stack.vectors(NAME, [hit.id for hit in after.hits or []])).values()

    assert [path.name for path in settings.store_path.iterdir() if path.is_dir()] == [f"{STORED}.1"]
    reopened = Collection(f"{STORED}.1", settings.store_path / f"{STORED}.1")
    query = VectorQuery(vector=vector.tobytes(), limit=COUNT)
    try:
        assert reopened._situation(query, reopened._passing.of(query)).copies
        [[scanned], [exact]] = (reopened.ask([Ask(query, plan)]) for plan in (FINE[0].plan(COUNT), EXACT))
    finally:
        reopened.close()
    assert [hit.id for hit in scanned] == [hit.id for hit in exact]
    assert len(scanned) == COUNT


def make_older(settings: Settings) -> None:
    """Its description says nothing of copies."""
    path = settings.store_path / STORED / edge_folder.DESCRIPTION
    told = msgspec.json.decode(path.read_bytes())
    del told["scan_copies"]
    path.write_bytes(msgspec.json.encode(told))
