"""The benchmarks' own promises: peers stay strangers to Clipline, a missing one is told of, the proxy only delays."""

import ast
import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from redis import asyncio as aioredis

from bench import dispatch
from bench.peers.install import REQUIREMENTS, peers
from bench.systems import SYSTEMS, System
from tests.redis_server import RedisServer

OWN = {"api", "cli", "demo", "shared", "tests", "workers"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*.py")), ids=lambda path: str(path.stem))
def test_a_peer_imports_nothing_of_clipline(path: Path) -> None:
    names = imported(path)
    assert not {name.partition(".")[0] for name in names} & OWN
    assert {name for name in names if name.startswith("bench")} <= {"bench.peers.protocol"}


def test_every_peer_has_pinned_requirements() -> None:
    queues = {system.environment for system in SYSTEMS if system.environment}
    assert queues | {"infinity"} == set(peers())
    for name in peers():
        lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
        assert lines
        assert all("==" in line for line in lines)


def test_a_peer_that_is_not_installed_is_reported() -> None:
    absent = System(name="absent", module="bench.peers.absent", environment="absent")
    systems, notes = dispatch.present((*SYSTEMS, absent), ["absent", "clipline"])
    assert [system.name for system in systems] == ["clipline"]
    assert notes == ["absent is missing: no environment, see python -m bench.peers.install"]


def test_the_proxy_passes_everything_on_in_order() -> None:
    async def through(url: str) -> list[bytes]:
        async with aioredis.from_url(url) as redis, redis.pipeline(transaction=False) as pipe:
            for number in range(500):
                pipe.execute_command("ECHO", b"%d" % number * 50)
            answers: list[bytes] = await pipe.execute()
            return answers

    with RedisServer() as server, dispatch.reached(server, 0.5) as url:
        assert url.startswith("redis://127.0.0.1:")
        assert asyncio.run(through(url)) == [b"%d" % number * 50 for number in range(500)]


def test_what_a_command_prints_as_help_says_what_it_measures() -> None:
    for name in ("dispatch", "fleet", "memory"):
        done = subprocess.run([sys.executable, "-m", f"bench.{name}", "--help"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "--json" in done.stdout
