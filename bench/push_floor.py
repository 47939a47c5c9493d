"""The floor of the push benchmark: a bare `websockets` server that keeps no state: `python -m bench.push_floor PORT`.

Told `{"times": N, "text": T}` by one client, it sends the text to all, N times.
"""

import asyncio
import json
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def main(port: int) -> None:
    connected: set[ServerConnection] = set()

    async def talk(connection: ServerConnection) -> None:
        connected.add(connection)
        await connection.send("{}")
        async for order in connection:
            wanted = json.loads(order)
            for _ in range(wanted["times"]):
                broadcast(connected, wanted["text"])
                await asyncio.sleep(0)
        connected.discard(connection)

    async with serve(talk, "127.0.0.1", port, compression=None, backlog=2_048) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
