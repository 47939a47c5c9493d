"""A real, tiny CLIP for everything that runs in a worker, and the queue that it works on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from shared.connection import connect
from shared.queue import Queue
from shared.settings import Settings
from tests.workers.models import save_model
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a CLIP for 32×32 pictures and 24 tokens; name it in settings as f"local-dir:{tiny_model}"."""
    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_encoder(tiny_model: Path) -> Encoder:
    return load_encoder(Settings(model=f"local-dir:{tiny_model}", device="cpu", precision="fp32"))


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    async with connect(settings) as client:
        yield client


@pytest.fixture
def queue(redis: ArqRedis, settings: Settings) -> Queue:
    return Queue(redis, settings)
