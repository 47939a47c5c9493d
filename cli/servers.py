"""`clipline api` and `clipline worker`: the two processes of a distributed installation."""

import asyncio
import os
from typing import Annotated

import msgspec
import typer

from cli import embedded
from shared import logs
from shared.settings import PREFIX, from_env

Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; instead of CLIPLINE_HOST.")]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65_535, help="Port, 0 for a free one; instead of CLIPLINE_PORT.")
]

Devices = Annotated[
    str | None,
    typer.Option(
        "--devices",
        metavar="all|LIST",
        help="A worker process for each, as cuda:0,cuda:1; all: every GPU, or the CPU where there is none. "
        "One that dies is started again.",
    ),
]

Models = Annotated[
    str | None,
    typer.Option(
        "--models",
        metavar="LIST",
        help="Those that it holds, as default,photo: names of CLIPLINE_MODELS; instead of CLIPLINE_WORKER_MODELS.",
    ),
]


def api(host: Host = None, port: Port = None) -> None:
    """Serve HTTP, the websocket and the pages.

    Needs Redis at CLIPLINE_REDIS_URL, and no model; several may run side by side.

    Examples:

        clipline api

        CLIPLINE_KEYS_FILE=keys.toml clipline api --host 0.0.0.0 --port 80
    """
    from api.server import serve

    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = msgspec.structs.replace(from_env(os.environ), **changes)
    logs.configure(settings)
    _end(serve(settings))


def worker(devices: Devices = None, models: Models = None) -> None:
    """Take jobs: encode, index, search.

    Needs Redis at CLIPLINE_REDIS_URL; one process for each GPU, which --devices starts and keeps alive. With a Qdrant
    server (CLIPLINE_STORE) any number of workers share the collections; with the embedded store there is one worker.

    Examples:

        clipline worker

        CLIPLINE_STORE=http://qdrant:6333 clipline worker --devices all

        CLIPLINE_MODELS=photo=ViT-L-14/laion2b_s32b_b82k clipline worker --models photo
    """
    more = {} if models is None else {f"{PREFIX}WORKER_MODELS": models}
    settings = from_env({**os.environ, **more})
    embedded.require_parts(edge=settings.store == "edge")
    if devices is not None:
        from cli.device_workers import DeviceWorkers, named

        logs.configure(settings)
        asyncio.run(DeviceWorkers(settings, named(devices)).run())
        return
    from workers.__main__ import main

    _end(main(settings))


def _end(code: int | None) -> None:
    """Pass on what the server's own `main` said."""
    if code:
        raise typer.Exit(code)
