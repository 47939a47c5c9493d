"""The registry of collections."""

import msgspec
import pytest
from arq.connections import ArqRedis

from shared.collections import Collections, from_spec, require_same, same_spec
from shared.errors import CollectionDiffers, CollectionNotFound
from shared.jobs import CollectionSpec

pytestmark = pytest.mark.anyio

SPEC = CollectionSpec(group_field="video", payload={"label": "keyword", "year": "integer"})


@pytest.fixture
def collections(redis: ArqRedis) -> Collections:
    return Collections(redis)


async def test_a_collection_is_kept_as_it_was_put(collections: Collections) -> None:
    made = msgspec.structs.replace(from_spec("p", SPEC), count=3, model="m", dim=16)
    await collections.put("t1", made)
    assert await collections.get("t1", "p") == made
    assert await collections.find("t1", "q") is None


async def test_another_tenant_has_its_own(collections: Collections) -> None:
    await collections.put("t1", from_spec("p", SPEC))
    with pytest.raises(CollectionNotFound):
        await collections.get("t2", "p")
    await collections.put("t2", from_spec("p", CollectionSpec()))
    await collections.remove("t2", "p")
    assert (await collections.get("t1", "p")).group_field == "video"
    assert await collections.all("t2") == []


async def test_they_are_listed_by_name(collections: Collections) -> None:
    for name in ("b", "a", "c"):
        await collections.put("t1", from_spec(name, SPEC))
    assert [one.name for one in await collections.all("t1")] == ["a", "b", "c"]


async def test_an_update_of_a_dropped_collection_does_not_name_it_again(collections: Collections) -> None:
    made = from_spec("p", SPEC)
    with pytest.raises(CollectionNotFound):
        await collections.update("t1", made)
    assert await collections.find("t1", "p") is None
    await collections.put("t1", made)
    await collections.update("t1", msgspec.structs.replace(made, count=7))
    assert (await collections.get("t1", "p")).count == 7


async def test_removing_what_is_not_there_is_no_error(collections: Collections) -> None:
    await collections.remove("t1", "p")


@pytest.mark.parametrize(
    "other", [CollectionSpec(), CollectionSpec(group_field="video"), CollectionSpec(payload=SPEC.payload)]
)
async def test_another_spec_is_told_apart(other: CollectionSpec) -> None:
    made = from_spec("p", SPEC)
    assert same_spec(made, SPEC)
    require_same(made, SPEC)
    with pytest.raises(CollectionDiffers):
        require_same(made, other)
