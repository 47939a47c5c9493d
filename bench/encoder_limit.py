"""What the encoder alone does with batches: `python -m bench.encoder_limit SECONDS SEED` prints a line of JSON.

In a process of its own with the machine to itself, on the texts that the users of `bench.search` type. Sizes in turns;
the best one is the limit, and what a batch of it took the batch time. `CLIPLINE_*` holds for it, but for the model.
"""

import os
import statistics
import sys
from collections.abc import Iterator
from itertools import islice
from time import perf_counter

import msgspec

from bench.phrases import phrases
from shared.settings import from_env
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder
from workers.encoders.replicas import replicated

MODEL = {"CLIPLINE_MODEL": "ViT-B-32", "CLIPLINE_PRETRAINED": "random"}
SIZES = (1, 8, 16, 32, 64)
# Of a GPU, which is the faster the more it gets.
LARGER = (128, 256, 512)


def measured(encoder: Encoder, words: Iterator[str], seconds: float) -> dict[int, list[float]]:
    """Seconds of each batch, by size: tokenised and encoded, as a search needs it."""
    sizes = SIZES if encoder.info.device == "cpu" else (*SIZES, *LARGER)
    took: dict[int, list[float]] = {size: [] for size in sizes}
    until = perf_counter() + seconds
    while perf_counter() < until or not all(took.values()):
        for size in sizes:
            texts = list(islice(words, size))
            began = perf_counter()
            encoder.encode_texts([encoder.tokenize(text)[0] for text in texts])
            took[size].append(perf_counter() - began)
    return took


def limit_of(encoder: Encoder, seconds: float, seed: int) -> dict[str, float]:
    """Texts a second by size, the best of them (`searches_s`), its size and what a batch of it took."""
    words = phrases(seed)
    measured(encoder, words, 1.0)
    took = measured(encoder, words, seconds)
    rates = {size: size * len(some) / sum(some) for size, some in took.items()}
    best = max(rates, key=lambda size: rates[size])
    figures = {f"texts_s_{size}": rate for size, rate in rates.items()}
    return figures | {"searches_s": rates[best], "batch": best, "batch_ms": statistics.median(took[best]) * 1000}


def main(seconds: float, seed: int) -> None:
    settings = from_env({**os.environ, **MODEL})
    with replicated(settings) as replicas:
        encoder = load_encoder(settings) if replicas is None else replicas.load(settings)
        print(msgspec.json.encode(limit_of(encoder, seconds, seed)).decode())


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
