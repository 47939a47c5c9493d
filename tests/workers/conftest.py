"""A real, tiny CLIP for everything that runs in a worker."""

from pathlib import Path

import pytest

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
