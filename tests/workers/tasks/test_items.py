"""Reading stored items."""

import pytest

from shared.jobs import MAX_ID, Items
from tests.workers.tasks.stack import Stack

pytestmark = pytest.mark.anyio


async def test_items_come_in_the_order_asked_for_without_those_that_are_not_there(stack: Stack) -> None:
    collection = await stack.create()
    await stack.ingest(collection, [stack.file(f"{name}.png", payload={"label": name}) for name in "abc"])
    items = await stack.all_items(collection)
    wanted = [items[f"{name}.png"].id for name in "cab"]
    found = await stack.items(collection, [wanted[0], 1, wanted[1], MAX_ID, wanted[2], 0])
    assert [item.payload["label"] for item in found] == ["c", "a", "b"]
    assert [item.id for item in found] == wanted


async def test_another_tenant_reads_nothing(stack: Stack) -> None:
    collection = await stack.create()
    await stack.ingest(collection, [stack.file("a.png")])
    [item] = (await stack.all_items(collection)).values()
    problem = await stack.problem(Items(collection=collection, ids=[item.id]), tenant="t2")
    assert (problem.type, problem.status) == ("collection-not-found", 404)
