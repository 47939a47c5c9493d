from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest

from client import AsyncClipline, JobFrame
from client.backoff import Backoff
from shared.settings import Settings
from tests.api.conftest import api, keyed, keys_file, make_key, things, worker
from tests.api.serving import Api
from tests.client.processes import ApiProcess

__all__ = ["api", "keyed", "keys_file", "make_key", "things", "worker"]

# Whatever is tried again is tried again soon.
SOON: Callable[[], Backoff] = lambda: Backoff(base_s=0.05, cap_s=0.2)  # noqa: E731


def states_of(frames: Sequence[JobFrame]) -> list[str]:
    """Each state once: within one a job may have a place in the queue, or stages, to tell of."""
    return list(dict.fromkeys(frame.state for frame in frames))


@pytest.fixture
async def clipline(api: Api) -> AsyncIterator[AsyncClipline]:
    async with AsyncClipline(api.url, backoff=SOON) as one:
        yield one


@pytest.fixture
def process(settings: Settings) -> Iterator[ApiProcess]:
    with ApiProcess(settings) as running:
        yield running
