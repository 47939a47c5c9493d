"""A worker with another model, a collection that the one before filled, and the way from one to the other."""

from pathlib import Path

import msgspec
import pytest

from shared.jobs import Query, Search
from tests.redis_server import RedisServer
from tests.workers.models import save_model
from tests.workers.tasks.stack import settings_for
from tests.workers.tasks.test_reindex import STORES, filled, lose, reindex, stacked, store_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "other", seed=1, embed_dim=24)


@pytest.mark.parametrize("kind", STORES)
async def test_another_model_takes_over_and_what_is_lost_is_left_out_only_when_asked(
    kind: str, redis_server: RedisServer, tiny_model: Path, other_model: Path, tmp_path: Path
) -> None:
    redis_server.flush()
    settings = settings_for(redis_server.url, tiny_model, tmp_path)
    async with store_of(kind) as store:
        async with stacked(settings, store) as old:
            name = await filled(old, 4)
            lose(old, name, "p3.png")
            first = await old.describe(name)
        async with stacked(msgspec.structs.replace(settings, model=f"local-dir:{other_model}"), store) as new:
            refused = await new.problem(Search(collection=name, query=Query(text="cat")))
            assert refused.type == "model-mismatch"
            assert f"clipline collections reindex {name}" in refused.detail
            result = await reindex(new, name)
            assert (result.switched, result.encoded, result.unreadable, result.model) == (False, 3, 1, first.model)
            assert [(row.source, row.type) for row in result.failed] == [("p3.png", "not-visible")]
            assert (await new.describe(name)).generation == 0
            # What the first try has encoded is there.
            result = await reindex(new, name, leave_out=True)
            assert (result.switched, result.encoded, result.unreadable, result.count) == (True, 0, 1, 3)
            assert result.model == new.parts.encoder.info.fingerprint
            found = await new.search(name, Query(text="cat"))
            assert len(found.hits or []) == 3
            assert (await new.describe(name)).dim == 24
