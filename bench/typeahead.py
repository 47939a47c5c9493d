"""Type-ahead: many people type at once, every key is a search, and a newer search takes the older one's slot.

Each person types phrases letter by letter over a websocket of their own, with log-normal pauses between the keys (52
words a minute, about 240 ms a key, is the mean in Dhakal et al., "Observations on Typing from 136 Million Keystrokes",
CHI 2018), and reads for a moment at the end of each phrase. `wasted_share` is the share of encodes whose result nobody
got: the search was superseded after its text had gone to the device.
"""

import asyncio
import json
import random
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from bench.phrases import phrases
from bench.report import Figures, Report, arguments, emit, median_of, progress
from bench.search import fill, serving

SPREAD = 0.5  # of the logarithm of a pause
READING_S = 1.0


class Typist:
    """One person; `states` counts how their searches ended."""

    def __init__(self, url: str, *, pause_s: float, seed: int) -> None:
        self.url = url.replace("http", "ws", 1) + "/v1/ws"
        self.pause_s = pause_s
        self.draw = random.Random(seed)
        self.words = phrases(seed)
        self.sent = 0
        self.states: Counter[str] = Counter()

    async def type_for(self, seconds: float) -> None:
        async with connect(self.url) as socket:
            listening = asyncio.create_task(self._listen(socket))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._type(socket)
            # What was asked last is still on its way.
            await asyncio.sleep(READING_S)
            listening.cancel()

    async def _type(self, socket: ClientConnection) -> None:
        while True:
            phrase = next(self.words)
            for end in range(1, len(phrase) + 1):
                if phrase[end - 1] != " ":
                    await self._search(socket, phrase[:end])
                await asyncio.sleep(self.draw.lognormvariate(0, SPREAD) * self.pause_s)
            await asyncio.sleep(READING_S)

    async def _search(self, socket: ClientConnection, text: str) -> None:
        self.sent += 1
        search = {"collection": "bench", "query": {"text": text}, "slot": "main"}
        await socket.send(json.dumps({"op": "search", "id": f"{self.sent}", "search": search}))

    async def _listen(self, socket: ClientConnection) -> None:
        async for frame in socket:
            told: dict[str, Any] = json.loads(frame)
            if told["op"] == "result":
                self.states[told["state"]] += 1


async def encodes(client: httpx.AsyncClient) -> tuple[int, int]:
    """Texts that the fleet's devices have encoded, and vectors that were there already, or on their way.

    As the heartbeats tell, once they have told it twice alike.
    """
    before = (-1, -1)
    while True:
        workers = (await client.get("/v1/workers")).json()["workers"]
        now = (sum(worker["cache_misses"] for worker in workers), sum(worker["cache_hits"] for worker in workers))
        if now == before:
            return now
        before = now
        await asyncio.sleep(2.5)


async def typing(url: str, *, people: int, seconds: float, pause_s: float) -> Figures:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        before = await encodes(client)
        typists = [Typist(url, pause_s=pause_s, seed=seed) for seed in range(people)]
        await asyncio.gather(*(typist.type_for(seconds) for typist in typists))
        after = await encodes(client)
    encoded, spared = after[0] - before[0], after[1] - before[1]
    states = sum((typist.states for typist in typists), Counter[str]())
    keys = sum(typist.sent for typist in typists)
    return {
        "keystrokes": keys,
        "encodes": encoded,
        "answers": states["succeeded"],
        "superseded": states["superseded"],
        "cache_hits": spared,
        "wasted_share": max(0.0, encoded + spared - states["succeeded"]) / max(1, encoded),
        "encodes_per_keystroke": encoded / max(1, keys),
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pause-ms", type=float, default=200.0, help="median pause between two keys")
    chosen = parser.parse_args()
    rounds: list[Figures] = []
    with tempfile.TemporaryDirectory(prefix="clipline-bench-filled-") as folder:
        asyncio.run(fill(Path(folder)))
        for _ in range(chosen.rounds):
            with serving("clipline", Path(folder)) as (url, _):
                load = typing(url, people=chosen.people, seconds=chosen.seconds, pause_s=chosen.pause_ms / 1000)
                rounds.append(uvloop.run(load))
                progress(f"clipline: {rounds[-1]}")
    emit(Report(figures={"clipline": median_of(rounds)}), as_json=chosen.json)


if __name__ == "__main__":
    main()
