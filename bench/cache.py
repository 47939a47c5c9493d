"""What keeping vectors of texts saves: two encoders on one Redis, as two workers have them, with it and without.

`typed`: people type phrases of a common stock letter by letter, some phrases far more often than others (Zipf), and
each text goes to either encoder. `idle_new`: texts that nobody asked before, one at a time, so what is left is what
asking Redis costs a device that idles; as a search does it, beside one other read of Redis. `idle_known`: texts that
the other encoder has encoded.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter

import uvloop
from arq.connections import ArqRedis

from bench.phrases import phrases
from bench.report import Figures, Report, arguments, emit, median_of, percentile, progress
from shared import keys
from shared.connection import connect
from shared.pipe import Pipe
from shared.settings import Settings
from tests.redis_server import RedisServer
from workers.batcher import Batcher
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder
from workers.sizing import assumed
from workers.text_vectors import TextVectors
from workers.vector_cache import VectorCache

STOCK = 300
ENCODERS = 2
IDLE = 60


class Desk:
    """One worker's encoder, and the way to it."""

    def __init__(self, encoder: Encoder, redis: ArqRedis, settings: Settings, *, cached: bool) -> None:
        self.spared: Counter[str] = Counter()
        self.batcher = Batcher(encoder, budget=assumed(settings), max_queued=10_000)
        cache = VectorCache(redis, settings, encoder.info) if cached else None
        most = settings.cache_vectors if cached else 0
        self.texts = TextVectors(encoder, self.batcher, cache, most=most, count=lambda how: self.spared.update([how]))
        self._pipe = Pipe(redis)

    async def ask(self, text: str) -> float:
        """Milliseconds, as in a search: the collection is read meanwhile."""
        began = perf_counter()
        with self.texts.expect(text, lane="interactive"):
            await self._pipe.call("HGET", keys.collections("bench"), "bench")
            await self.texts.vector(text)
        return (perf_counter() - began) * 1000


@asynccontextmanager
async def desks(encoder: Encoder, settings: Settings, *, cached: bool) -> AsyncIterator[list[Desk]]:
    async with connect(settings) as redis:
        await redis.flushall()
        made = [Desk(encoder, redis, settings, cached=cached) for _ in range(ENCODERS)]
        try:
            yield made
        finally:
            for desk in made:
                await desk.texts.close()
                await asyncio.to_thread(desk.batcher.close)


def trace(seed: int) -> Iterator[str]:
    """What one person types: every letter asks."""
    stock = list(itertools.islice(phrases(0), STOCK))
    weights = [1 / rank for rank in range(1, STOCK + 1)]
    draw = random.Random(seed)
    while True:
        [phrase] = draw.choices(stock, weights)
        yield from (phrase[:end] for end in range(1, len(phrase) + 1) if phrase[end - 1] != " ")


async def typed(desks: Sequence[Desk], *, people: int, keys_each: int) -> Figures:
    took: list[float] = []

    async def person(seed: int) -> None:
        for number, text in enumerate(itertools.islice(trace(seed), keys_each)):
            took.append(await desks[(seed + number) % len(desks)].ask(text))

    began = perf_counter()
    before = sum(desk.texts.hits for desk in desks)
    await asyncio.gather(*(person(seed) for seed in range(people)))
    asked = people * keys_each
    return {
        "typed_texts_s": asked / (perf_counter() - began),
        "typed_p50_ms": percentile(took, 0.5),
        "typed_p95_ms": percentile(took, 0.95),
        "typed_hit_share": (sum(desk.texts.hits for desk in desks) - before) / asked,
    }


async def idle(desks: Sequence[Desk], words: Iterator[str]) -> Figures:
    new, known = [], []
    for text in itertools.islice(words, IDLE):
        new.append(await desks[0].ask(text))
        await desks[0].texts.told()
        known.append(await desks[1].ask(text))
    return {"idle_new_p50_ms": percentile(new, 0.5), "idle_known_p50_ms": percentile(known, 0.5)}


async def measured(encoder: Encoder, settings: Settings, *, cached: bool, people: int, keys_each: int) -> Figures:
    async with desks(encoder, settings, cached=cached) as made:
        figures = {**await idle(made, phrases(1)), **await typed(made, people=people, keys_each=keys_each)}
        if cached:
            progress(f"where vectors came from: {dict(sum((desk.spared for desk in made), Counter()))}")
        return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--model", default="ViT-B-32", help="an open_clip model; its weights are random")
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--keys", type=int, default=200, help="texts that each of them asks for")
    chosen = parser.parse_args()
    rounds: dict[str, list[Figures]] = {"clipline": [], "uncached": []}
    with RedisServer() as server:
        settings = Settings(redis_url=server.url, model=chosen.model, pretrained="random")
        encoder = load_encoder(settings)
        for _ in range(chosen.rounds):
            for system, found in rounds.items():
                work = measured(
                    encoder, settings, cached=system == "clipline", people=chosen.people, keys_each=chosen.keys
                )
                found.append(uvloop.run(work))
                progress(f"{system}: {found[-1]}")
    emit(Report(figures={name: median_of(found) for name, found in rounds.items()}), as_json=chosen.json)


if __name__ == "__main__":
    main()
