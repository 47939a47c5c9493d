"""One working stack for each file of tests; tests share it and use collections of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from tests.workers.tasks.stack import Stack, settings_for, working


@pytest.fixture(scope="module")
async def stack(
    redis_server: RedisServer, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    redis_server.flush()
    async with working(settings_for(redis_server.url, tiny_model, tmp_path_factory.mktemp("stack"))) as one:
        yield one
