"""infinity's engine as a process that takes orders: `python -m bench.peers.infinity FOLDER BATCH THREADS`.

One JSON order a line: `{"texts": […]}`, with `"alone": true` for one after the other, or `{"pictures": […]}`, their
paths. The answer has `seconds`, and `vectors` where `"vectors": true` asks for them.
"""

import asyncio
import json
import logging
import os
import sys
from time import perf_counter
from typing import Any

BATCH, THREADS = int(sys.argv[2]), int(sys.argv[3])


async def take_orders(engine: Any) -> None:
    """Until stdin ends."""
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        started = perf_counter()
        vectors = await _embed(engine, order)
        taken: dict[str, Any] = {"seconds": perf_counter() - started}
        if order.get("vectors"):
            taken["vectors"] = [[float(value) for value in row] for row in vectors]
        print(json.dumps(taken), flush=True)


async def _embed(engine: Any, order: dict[str, Any]) -> list[Any]:
    if "pictures" in order:
        from PIL import Image

        pictures = [Image.open(path).convert("RGB") for path in order["pictures"]]
        return list((await engine.image_embed(images=pictures))[0])
    if order.get("alone"):
        return [(await engine.embed(sentences=[text]))[0][0] for text in order["texts"]]
    return list((await engine.embed(sentences=order["texts"]))[0])


async def main() -> None:
    import torch
    from infinity_emb import AsyncEmbeddingEngine, EngineArgs

    torch.set_num_threads(THREADS)
    arguments = EngineArgs(
        model_name_or_path=sys.argv[1],
        engine="torch",
        device="cpu",
        dtype="float32",
        batch_size=BATCH,
        compile=False,
        bettertransformer=False,
        model_warmup=False,
    )
    engine = AsyncEmbeddingEngine.from_args(arguments)
    async with engine:
        await take_orders(engine)


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    logging.disable(logging.WARNING)
    asyncio.run(main())
