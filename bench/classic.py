"""The two classic handlers, as a server to measure: `python -m bench.classic MODE STORE_DATA_DIR PORT`.

Modes: `inline` encodes in the coroutine itself, `executor` through `run_in_executor`; each request alone, as handlers
are commonly written. Both use open_clip's own `encode_text`. With `_truncated` behind the mode they use Clipline's
encoder instead, still one request at a time: what batching gives can then be told from what the encoder gives.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import numpy as np
import numpy.typing as npt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bench.encode_stock import Stock
from shared.jobs import Search
from shared.settings import Settings
from workers.encoders.device import choose_device
from workers.encoders.load import load_encoder
from workers.stores.protocol import VectorQuery
from workers.stores.qdrant_edge import QdrantEdgeStore

STORED = "default.bench"
Encode = Callable[[str], npt.NDArray[np.float32]]


def stock_encoder(settings: Settings) -> Encode:
    """What open_clip's README does for one text, on a GPU where there is one; the weights are those of the stack under
    test."""
    stock = Stock(settings.model, choose_device(settings))

    def encode(text: str) -> npt.NDArray[np.float32]:
        vector: npt.NDArray[np.float32] = stock.alone([text])[0]
        return vector

    return encode


def own_encoder(settings: Settings) -> Encode:
    encoder = load_encoder(settings)

    def encode(text: str) -> npt.NDArray[np.float32]:
        vector: npt.NDArray[np.float32] = encoder.encode_texts([encoder.tokenize(text)[0]])[0]
        return vector

    return encode


def create_app(mode: str, settings: Settings) -> Starlette:
    encode = own_encoder(settings) if mode.endswith("_truncated") else stock_encoder(settings)
    store = QdrantEdgeStore(settings)
    in_executor = mode.startswith("executor")

    async def search(request: Request) -> Response:
        asked = msgspec.json.decode(await request.body(), type=Search)
        text = asked.query.text or ""
        if in_executor:
            vector = await asyncio.get_running_loop().run_in_executor(None, encode, text)
        else:
            vector = encode(text)
        [found] = await store.search(STORED, [VectorQuery(vector=vector.tobytes(), limit=asked.limit)])
        return Response(msgspec.json.encode({"hits": found.hits}), media_type="application/json")

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await store.start()
        yield
        await store.close()

    routes = [Route("/v1/search", search, methods=["POST"]), Route("/healthz", healthz)]
    return Starlette(routes=routes, lifespan=lifespan)


def main(mode: str, data_dir: str, port: int) -> None:
    settings = Settings(data_dir=data_dir, model="ViT-B-32", pretrained="random")
    uvicorn.run(create_app(mode, settings), port=port, log_level="warning", loop="uvloop", http="httptools")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
