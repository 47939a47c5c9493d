"""Texts whose vectors are there already, or on their way: here, in Redis, or in another process."""

import asyncio
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.connection import connect
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.models import save_model
from tests.workers.wrapped import Wrapped
from workers.batcher import Batcher
from workers.batches import Budget
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder, Matrix, Tokens
from workers.text_vectors import LONG_CHARS, TextVectors
from workers.vector_cache import KEPT_AT_ONCE, VectorCache

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0
# Two processes load torch at the same time, perhaps on a busy machine.
STARTED_WITHIN_S = 110.0
TEXTS = (
    "a happy cat",
    "чёрная кошка",
    "猫が笑っている",
    "قطة سعيدة",
    "a\tb\x07c\u200b",
    "&amp; caf\xe9",
    "🐈 " * 30,
    "word " * 90,
    " ",
)


class Watched(Wrapped):
    """The real encoder; it remembers what reached it, and holds it while the gate is shut."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.gate = threading.Event()
        self.gate.set()
        self.encoded: list[int] = []

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        self.encoded.append(len(tokens))
        assert self.gate.wait(WITHIN_S)
        return self._encoder.encode_texts(tokens)


class Desk:
    """One worker's share of it."""

    def __init__(self, encoder: Encoder, redis: ArqRedis | None, settings: Settings) -> None:
        self.encoder = Watched(encoder)
        self.batcher = Batcher(self.encoder, budget=Budget(texts=8, images=8, tokens=1_000), max_queued=100)
        cache = None if redis is None else VectorCache(redis, settings, encoder.info)
        self.spared: Counter[str] = Counter()
        self.texts = TextVectors(
            self.encoder, self.batcher, cache, most=settings.cache_vectors, count=lambda how: self.spared.update([how])
        )

    async def close(self) -> None:
        self.encoder.gate.set()
        await self.texts.close()
        await asyncio.to_thread(self.batcher.close)


@asynccontextmanager
async def desk(encoder: Encoder, redis: ArqRedis | None, settings: Settings | None = None) -> AsyncIterator[Desk]:
    one = Desk(encoder, redis, settings or Settings())
    try:
        async with asyncio.timeout(WITHIN_S):
            yield one
    finally:
        await one.close()


async def evaluations(redis: ArqRedis) -> int:
    stats = await redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))


async def kept(redis: ArqRedis) -> int:
    return len(await redis.keys(keys.vector("*")))


@pytest.mark.parametrize("text", TEXTS)
async def test_what_is_kept_is_what_the_encoder_says(tiny_encoder: Encoder, redis: ArqRedis, text: str) -> None:
    tokens, truncated = tiny_encoder.tokenize(text)
    [expected] = tiny_encoder.encode_texts([tokens])
    async with desk(tiny_encoder, redis) as first, desk(tiny_encoder, redis) as second:
        got = [await first.texts.vector(text)]
        await first.texts.told()
        got += [await first.texts.vector(text), await second.texts.vector(text)]
        assert (first.encoder.encoded, second.encoder.encoded) == ([1], [])
        assert second.spared == {"redis": 1}
    assert [one.truncated for one in got] == [truncated] * 3
    assert [one.batch for one in got] == [1, 0, 0]
    for one in got:
        np.testing.assert_allclose(one.vector, expected, atol=1e-6)


async def test_what_the_model_reads_alike_is_one_text(tiny_encoder: Encoder, redis: ArqRedis) -> None:
    async with desk(tiny_encoder, redis) as one:
        for text in ("A  Happy cat", "a happy\tcat ", "a happy cat"):
            await one.texts.vector(text)
            await one.texts.told()
        assert (one.encoder.encoded, one.spared) == ([1], {"redis": 2})
        await one.texts.vector("a happy cats")
        assert one.encoder.encoded == [1, 1]


async def test_another_model_s_vectors_are_not_taken(
    tiny_encoder: Encoder, redis: ArqRedis, other_encoder: Encoder
) -> None:
    async with desk(tiny_encoder, redis) as first, desk(other_encoder, redis) as second:
        await first.texts.vector("a cat")
        await first.texts.told()
        await second.texts.vector("a cat")
        assert (first.encoder.encoded, second.encoder.encoded) == ([1], [1])


@pytest.fixture(scope="module")
def other_encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = save_model(tmp_path_factory.mktemp("other"), seed=1)
    return load_encoder(Settings(model=f"local-dir:{folder}", device="cpu", precision="fp32"))


@pytest.mark.parametrize("cached", [True, False])
async def test_texts_under_way_are_encoded_once(tiny_encoder: Encoder, redis: ArqRedis, *, cached: bool) -> None:
    async with desk(tiny_encoder, redis if cached else None, Settings(cache_vectors=100 if cached else 0)) as one:
        one.encoder.gate.clear()
        first = asyncio.create_task(one.texts.vector("a cat"))
        # On the device already: no batch could take the others in.
        await eventually(lambda: one.encoder.encoded)
        others = [asyncio.create_task(one.texts.vector("a cat")) for _ in range(5)]
        others[0].cancel()
        first.cancel()
        await asyncio.gather(first, others[0], return_exceptions=True)
        one.encoder.gate.set()
        vectors = [(await task).vector for task in others[1:]]
        assert one.encoder.encoded == [1]
        assert one.spared == {"joined": 4}
        assert all(np.array_equal(vector, vectors[0]) for vector in vectors)
        await one.texts.told()
    assert await kept(redis) == int(cached)


async def test_whoever_wants_it_hears_when_the_device_takes_it(tiny_encoder: Encoder, redis: ArqRedis) -> None:
    async with desk(tiny_encoder, redis) as one:
        one.encoder.gate.clear()
        early, late = threading.Event(), threading.Event()
        tasks = [asyncio.create_task(one.texts.vector("a cat", started=early.set))]
        await eventually(early.is_set)
        tasks.append(asyncio.create_task(one.texts.vector("a cat", started=late.set)))
        await eventually(late.is_set)
        one.encoder.gate.set()
        await asyncio.gather(*tasks)


async def test_what_is_expected_reaches_the_device_when_somebody_asks(tiny_encoder: Encoder, redis: ArqRedis) -> None:
    async with desk(tiny_encoder, redis) as one:
        with one.texts.expect("a cat", lane="interactive"):
            marks = await eventually(lambda: redis.keys(keys.encoding("*")))
            assert (len(marks), one.encoder.encoded) == (1, [])
        # Nobody asked: whoever comes next does not wait for it.
        await eventually(lambda: _gone(redis))
        with one.texts.expect("a cat", lane="interactive"):
            await one.texts.vector("a cat")
        assert one.encoder.encoded == [1]


async def _gone(redis: ArqRedis) -> bool:
    return not await redis.keys(keys.encoding("*"))


async def test_a_text_that_the_model_fails_on_fails_for_all_and_is_not_kept(
    tiny_encoder: Encoder, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Sequence[Tokens]) -> Matrix:
        raise ArithmeticError("not finite")

    async with desk(tiny_encoder, redis) as one:
        monkeypatch.setattr(one.encoder, "encode_texts", fail)
        asked = await asyncio.gather(*(one.texts.vector("a cat") for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in asked] == [ArithmeticError] * 3
        await eventually(lambda: _gone(redis))
        assert await kept(redis) == 0


async def test_both_caches_are_bounded_and_the_oldest_goes(tiny_encoder: Encoder, redis: ArqRedis) -> None:
    settings = Settings(cache_vectors=3, cache_s=100)
    async with desk(tiny_encoder, redis, settings) as one:
        for number in range(8):
            await one.texts.vector(f"cat {number}")
            await one.texts.told()
        assert await kept(redis) == await redis.zcard(keys.VECTORS) == 3
        assert all([0 < await redis.pttl(name) <= 100_000 for name in await redis.keys(keys.vector("*"))])
        await one.texts.vector("cat 7")
        assert one.encoder.encoded == [1] * 8
        await one.texts.vector("cat 0")
        assert one.encoder.encoded == [1] * 9


async def test_what_came_together_is_kept_together(tiny_encoder: Encoder, redis: ArqRedis) -> None:
    cache = VectorCache(redis, Settings(), tiny_encoder.info)
    rows = np.eye(KEPT_AT_ONCE + 1, tiny_encoder.info.dim, dtype=np.float32)
    tellings = [cache.keep(f"{number}", row) for number, row in enumerate(rows)]
    first, *others = tellings
    assert first is not None
    assert others == [None] * KEPT_AT_ONCE
    before = await evaluations(redis)
    await first
    # The server may not know the script yet, and is told it then.
    assert await evaluations(redis) - before in (2, 3)
    assert await kept(redis) == await redis.zcard(keys.VECTORS) == len(rows)
    found = await cache.ask("0", mark="")
    assert not isinstance(found, str)
    np.testing.assert_array_equal(found, rows[0])
    more = cache.keep("more", rows[0])
    assert more is not None
    await more


async def test_a_long_text_is_kept_in_redis_alone(tiny_encoder: Encoder, redis: ArqRedis) -> None:
    async with desk(tiny_encoder, redis) as one:
        long = "x" * (LONG_CHARS + 1)
        for _ in range(2):
            await one.texts.vector(long)
            await one.texts.told()
        assert one.spared == {"redis": 1}


async def test_a_vector_of_another_length_is_not_believed(tiny_encoder: Encoder, redis: ArqRedis) -> None:
    async with desk(tiny_encoder, redis) as one:
        name = VectorCache(redis, Settings(), tiny_encoder.info).name(tiny_encoder.tokenize("a cat")[0])
        await redis.set(keys.vector(name), b"\0" * 7)
        assert (await one.texts.vector("a cat")).vector.shape == (tiny_encoder.info.dim,)
        assert one.encoder.encoded == [1]


async def test_without_redis_texts_are_encoded(tiny_encoder: Encoder) -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0")
    async with connect(settings) as away, desk(tiny_encoder, away, settings) as one:
        await one.texts.vector("a cat")
        assert one.encoder.encoded == [1]


# -- processes


async def asking(redis_server: RedisServer, model: Path, *, patience_s: float) -> Process:
    command = [sys.executable, "-m", "tests.workers.asking", redis_server.url, str(model), "a cat", str(patience_s)]
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT)


async def heard(process: Process) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(STARTED_WITHIN_S):
        return (await process.stdout.readline()).decode().split()


async def let_encode(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    await process.stdin.drain()


@asynccontextmanager
async def two(
    redis_server: RedisServer, redis: ArqRedis, model: Path, *, patience_s: float
) -> AsyncIterator[tuple[Process, Process]]:
    """The first has the text on its device, the second asks for the same."""
    encoder = load_encoder(Settings(model=f"local-dir:{model}", device="cpu", precision="fp32"))
    mark = keys.encoding(VectorCache(redis, Settings(), encoder.info).name(encoder.tokenize("a cat")[0]))
    first = await asking(redis_server, model, patience_s=patience_s)
    second = None
    try:
        assert await heard(first) == ["asking"]
        assert await heard(first) == ["encoding"]
        # A mark lapses after a while; here it stays until the second one, which is slow to start, has seen it.
        await redis.set(mark, "first")
        second = await asking(redis_server, model, patience_s=patience_s)
        assert await heard(second) == ["asking"]
        yield first, second
    finally:
        for process in (first, second):
            if process is not None and process.returncode is None:
                process.kill()
                await process.communicate()


async def test_another_process_waits_for_the_one_that_encodes(
    redis_server: RedisServer, redis: ArqRedis, tiny_model: Path
) -> None:
    async with two(redis_server, redis, tiny_model, patience_s=STARTED_WITHIN_S) as (first, second):
        await let_encode(first)
        [_, encoded, vector] = await heard(first)
        assert await heard(second) == ["done", "0", vector]
        assert encoded == "1"
        assert (await first.wait(), await second.wait()) == (0, 0)


async def test_one_that_is_killed_meanwhile_is_not_waited_for_long(
    redis_server: RedisServer, redis: ArqRedis, tiny_model: Path
) -> None:
    async with two(redis_server, redis, tiny_model, patience_s=0.2) as (first, second):
        first.kill()
        await first.wait()
        assert await heard(second) == ["encoding"]
        await let_encode(second)
        [done, encoded, _] = await heard(second)
        assert (done, encoded) == ("done", "1")
        assert await second.wait() == 0
    assert (await kept(redis), await _gone(redis)) == (1, True)
