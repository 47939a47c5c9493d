"""Closed-loop users against one URL, with a probe that watches /healthz meanwhile."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any

from bench.phrases import phrases
from bench.raw_http import RawHttp
from bench.report import Figures, percentile

STAGES = ("queue_ms", "encode_ms", "search_ms")


class Load:
    """`users` people who each search, look at the answer at once and search again."""

    def __init__(self, url: str, *, users: int, seconds: float, seed: int) -> None:
        self.url, self.users, self.seconds, self.seed = url, users, seconds, seed
        self.taken_ms: list[float] = []
        self.probe_ms: list[float] = []
        self.stages: dict[str, list[float]] = {name: [] for name in STAGES}

    async def run(self) -> Figures:
        until = perf_counter() + self.seconds
        probe = await self._probe()
        users = (self._user(phrases(self.seed * 1000 + number), until) for number in range(self.users))
        started = perf_counter()
        await asyncio.gather(*users)
        took_s = perf_counter() - started
        self.probe_ms = [float(line) for line in (await probe.communicate())[0].split()]
        return self._figures(took_s)

    async def _user(self, words: Iterator[str], until: float) -> None:
        async with RawHttp(self.url) as http:
            while perf_counter() < until:
                started = perf_counter()
                answer = await self._search(http, next(words))
                self.taken_ms.append((perf_counter() - started) * 1000)
                took: Mapping[str, float] = (answer.get("result") or {}).get("took") or {}
                for name in STAGES:
                    if name in took:
                        self.stages[name].append(took[name])

    async def _search(self, http: RawHttp, text: str) -> dict[str, Any]:
        body = {"collection": "bench", "query": {"text": text}, "limit": 24}
        status, answer = await http.post("/v1/search?wait=30", body)
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found

    async def _probe(self) -> asyncio.subprocess.Process:
        """In a process of its own: the users' work in this one must not delay it."""
        command = [sys.executable, "-m", "bench.probe", self.url, str(self.seconds)]
        return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)

    def _figures(self, took_s: float) -> Figures:
        figures = {
            "searches_s": len(self.taken_ms) / took_s,
            "p50_ms": percentile(self.taken_ms, 0.50),
            "p95_ms": percentile(self.taken_ms, 0.95),
            "p99_ms": percentile(self.taken_ms, 0.99),
            "healthz_p99_ms": percentile(self.probe_ms or [float("nan")], 0.99),
        }
        return figures | {name: percentile(values, 0.50) for name, values in self.stages.items() if values}
