"""A process that asks for one text's vector as a worker does; run as a program by `test_text_vectors`.

It says `encoding` when the text reaches its device, which then waits for a line on standard input; at the end it says
how many texts it encoded, and the vector in hex.
"""

import asyncio
import sys
from collections.abc import Sequence

from shared.connection import connect
from shared.settings import Settings
from tests.workers.wrapped import Wrapped
from workers.batcher import Batcher
from workers.batches import Budget
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder, Matrix, Tokens
from workers.text_vectors import TextVectors
from workers.vector_cache import VectorCache


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Held(Wrapped):
    """The real encoder, which works when it is told to."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.encoded = 0

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        say("encoding")
        sys.stdin.readline()
        self.encoded += len(tokens)
        return self._encoder.encode_texts(tokens)


async def main(redis_url: str, model: str, text: str, patience_s: float) -> None:
    settings = Settings(redis_url=redis_url, model=f"local-dir:{model}", device="cpu", precision="fp32")
    encoder = Held(load_encoder(settings))
    batcher = Batcher(encoder, budget=Budget(texts=8, images=8, tokens=1_000), max_queued=8)
    async with connect(settings) as redis:
        cache = VectorCache(redis, settings, encoder.info)
        texts = TextVectors(encoder, batcher, cache, most=8, count=lambda _: None, patience_s=(patience_s, patience_s))
        say("asking")
        embedded = await texts.vector(text)
        say("done", encoder.encoded, embedded.vector.tobytes().hex())
        await texts.told()
    await asyncio.to_thread(batcher.close)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))
