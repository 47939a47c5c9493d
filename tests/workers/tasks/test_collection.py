"""Creating, dropping and describing collections, and naming them again after a loss."""

import asyncio
import shutil

import pytest

from shared import media
from shared.collections import Collections
from shared.errors import CollectionNotFound
from shared.jobs import CollectionSpec, CollectionTask, Query, Search
from tests.workers.tasks.stack import Stack, fresh_name
from workers.tasks.collection import restore_registry

pytestmark = pytest.mark.anyio

SPEC = CollectionSpec(group_field="video", payload={"label": "keyword", "year": "integer"})


def create(name: str, spec: CollectionSpec | None = SPEC) -> CollectionTask:
    return CollectionTask(op="create", collection=name, spec=spec)


async def test_a_collection_is_what_it_was_asked_to_be(stack: Stack) -> None:
    name = fresh_name()
    made = await stack.answer(create(name))
    info = stack.parts.encoder.info
    assert (made["group_field"], made["payload"]) == (SPEC.group_field, SPEC.payload)
    assert (made["model"], made["dim"], made["count"]) == (info.fingerprint, info.dim, 0)
    stored = await stack.parts.store.describe(f"t.{name}")
    assert stored.indexes == {"video": "keyword", "position": "integer", "label": "keyword", "year": "integer"}


async def test_creating_it_again_keeps_what_it_holds(stack: Stack) -> None:
    name = fresh_name()
    first = await stack.answer(create(name))
    await stack.ingest(name, [stack.file("a.png")])
    again = await stack.answer(create(name))
    assert again == {**first, "count": 1}
    assert (await stack.describe(name)).count == 1


OTHERS = [None, CollectionSpec(), CollectionSpec(group_field="video", payload={"label": "bool"})]


@pytest.mark.parametrize("other", OTHERS)
async def test_creating_it_otherwise_is_a_conflict(stack: Stack, other: CollectionSpec | None) -> None:
    name = fresh_name()
    await stack.answer(create(name))
    problem = await stack.problem(create(name, other))
    assert (problem.type, problem.status) == ("collection-differs", 409)


async def test_many_who_create_it_at_once_get_the_same(stack: Stack) -> None:
    name = fresh_name()
    made = await asyncio.gather(*(stack.answer(create(name)) for _ in range(6)))
    assert {one["model"] for one in made} == {stack.parts.encoder.info.fingerprint}
    assert (await stack.describe(name)).payload == SPEC.payload


async def test_a_dropped_collection_is_gone_with_its_pictures(stack: Stack) -> None:
    name = await stack.create()
    await stack.ingest(name, [stack.file("a.png")])
    folder = media.collection_folder(stack.parts.settings.media_path, "t", name)
    assert folder.exists()
    dropped = await stack.answer(CollectionTask(op="drop", collection=name))
    assert (dropped["name"], dropped["count"]) == (name, 1)
    assert not folder.exists()
    assert f"t.{name}" not in await stack.parts.store.names()
    searching = Search(collection=name, query=Query(text="cat"))
    for job in (CollectionTask(op="drop", collection=name), CollectionTask(op="describe", collection=name), searching):
        assert (await stack.problem(job)).type == "collection-not-found"


async def test_another_tenant_can_neither_drop_nor_describe_it(stack: Stack) -> None:
    name = await stack.create()
    tasks = [CollectionTask(op="drop", collection=name), CollectionTask(op="describe", collection=name)]
    for job in tasks:
        assert (await stack.problem(job, tenant="t2")).type == "collection-not-found"
    assert (await stack.describe(name)).name == name


async def test_searches_while_it_is_dropped_end_with_hits_or_not_found(stack: Stack) -> None:
    name = await stack.create()
    await stack.ingest(name, [stack.file(f"{number}.png") for number in range(8)])
    job = Search(collection=name, query=Query(text="cat"))
    searching = [asyncio.create_task(stack.run(job)) for _ in range(20)]
    dropping = asyncio.create_task(stack.run(CollectionTask(op="drop", collection=name)))
    searching += [asyncio.create_task(stack.run(job)) for _ in range(20)]
    assert (await dropping).state == "succeeded"
    for view in await asyncio.gather(*searching):
        assert view.state == "succeeded" or (view.error is not None and view.error.type == "collection-not-found")
    assert (await stack.problem(job)).type == "collection-not-found"


async def test_an_ingest_into_what_was_dropped_does_not_bring_it_back(stack: Stack) -> None:
    collections, name = stack.parts.collections, await stack.create()
    known = await collections.get("t", name)
    await stack.answer(CollectionTask(op="drop", collection=name))
    # The last thing that an ingest does, had it counted the items before the drop.
    with pytest.raises(CollectionNotFound):
        await collections.update("t", known)
    assert await collections.find("t", name) is None


async def test_what_the_store_lost_is_made_again_when_it_is_created(stack: Stack) -> None:
    name = await stack.create()
    await stack.parts.store.drop(f"t.{name}")
    assert (await stack.problem(Search(collection=name, query=Query(text="cat")))).type == "collection-not-found"
    await stack.create(name=name)
    result = await stack.ingest(name, [stack.file("a.png")])
    assert (result.added, result.count) == (1, 1)


async def test_a_redis_that_started_empty_learns_the_names_again(stack: Stack) -> None:
    name, foreign = await stack.create(group_field="video"), fresh_name()
    await stack.create(tenant="t2", name=foreign)
    await stack.ingest(name, [stack.file(f"{number}.png", payload={"video": number}) for number in range(3)])
    collections: Collections = stack.parts.collections
    before = {tenant: await collections.all(tenant) for tenant in ("t", "t2")}
    await stack.parts.redis.flushall()
    assert await collections.all("t") == []
    assert await restore_registry(stack.parts) == len(before["t"]) + len(before["t2"])
    assert await restore_registry(stack.parts) == 0
    after = {one.name: one for one in await collections.all("t")}
    assert after[name] == next(one for one in before["t"] if one.name == name)
    assert [one.name for one in await collections.all("t2")] == [one.name for one in before["t2"]]
    found = await stack.search(name, Query(text="cat"), group_by="video")
    assert {group.group for group in found.groups or []} == {0, 1, 2}


async def test_pictures_that_are_gone_do_not_keep_it_from_being_dropped(stack: Stack) -> None:
    name = await stack.create()
    await stack.ingest(name, [stack.file("a.png")])
    shutil.rmtree(media.collection_folder(stack.parts.settings.media_path, "t", name))
    await stack.answer(CollectionTask(op="drop", collection=name))
