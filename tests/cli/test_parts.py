"""The supervisor's small parts, on real files, sockets and programs."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli import ports, redis_server
from cli.child import Child, Program
from cli.child_log import MAX_BYTES, ChildLog
from cli.data_folder import DataFolder, Running
from cli.failures import Failure, Mistake
from cli.search import filter_of
from cli.walk import find, read_sidecar
from shared.filters import Condition, Filter
from tests.cli.pictures import draw
from tests.e2e.running import alive, until
from tests.redis_server import binary

pytestmark = pytest.mark.anyio


@contextmanager
def child(tmp_path: Path, *program: str, hopeless: frozenset[int] = frozenset()) -> Iterator[tuple[Child, list[str]]]:
    """A child and what it tells."""
    told: list[str] = []
    made = Program(name="child", command=program, environment=lambda: os.environ, stop_s=20.0, hopeless=hopeless)
    log = ChildLog(tmp_path / "child.log")
    try:
        yield Child(made, log, tell=told.append, started=lambda: None), told
    finally:
        log.close()


async def test_a_program_that_keeps_dying_is_given_up_with_its_last_lines(tmp_path: Path) -> None:
    with child(tmp_path, sys.executable, "-c", "print('out of luck'); raise SystemExit(5)") as (one, told):
        with pytest.raises(Failure, match="code 5") as given_up:
            await one.keep()
        assert "out of luck" in str(given_up.value)
        assert sum("starting it again" in line for line in told) >= 3


async def test_a_setting_that_cannot_work_is_not_tried_twice(tmp_path: Path) -> None:
    with child(tmp_path, sys.executable, "-c", "raise SystemExit(2)", hopeless=frozenset({2})) as (one, told):
        with pytest.raises(Mistake):
            await one.keep()
        assert told == []


async def test_a_setting_that_worked_before_is_not_what_is_wrong(tmp_path: Path) -> None:
    """As of a worker whose GPU is gone: those of other devices go on, and it is tried again."""
    marker = tmp_path / "started"
    first_one_then_two = f"import pathlib as p; m = p.Path({str(marker)!r}); c = 1 + m.exists(); m.touch(); exit(c)"
    with child(tmp_path, sys.executable, "-c", first_one_then_two, hopeless=frozenset({2})) as (one, told):
        with pytest.raises(Failure, match="code 2"):
            await one.keep()
        assert sum("code 2" in line for line in told) >= 3


async def test_a_program_that_does_not_listen_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    deaf = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(grandchild.pid, flush=True); time.sleep(600)"
    )
    with child(tmp_path, sys.executable, "-c", deaf) as (one, _):
        keeping = asyncio.create_task(one.keep())
        await asyncio.to_thread(until, lambda: one.log.last() != [], 30)
        grandchild = int(one.log.last()[0])
        stopping = asyncio.create_task(one.stop())
        await asyncio.to_thread(one.kill)
        await asyncio.gather(stopping, keeping)
        await asyncio.to_thread(until, lambda: not alive(grandchild), 30)


def test_a_log_is_bounded_and_passes_on_what_is_loud(tmp_path: Path) -> None:
    told: list[str] = []
    log = ChildLog(tmp_path / "logs" / "x.log", echo=told.append)
    log.write(b"2026-01-01 10:00:00,000 INFO    a fine\n2026-01-01 10:00:00,000 WARNING b care")
    log.write(b'ful\n{"level":"error","message":"json"}\n')
    assert [line[-7:] for line in told] == ["careful", '"json"}']
    for _ in range(3 * MAX_BYTES // 2**20):
        log.write(b"x" * 2**20)
    log.close()
    sizes = [path.stat().st_size for path in (tmp_path / "logs").iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= MAX_BYTES


def test_a_busy_port_is_replaced_unless_it_was_asked_for() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        other = ports.choose("127.0.0.1", taken, fixed=False)
        assert other not in {0, taken}
        assert ports.choose("127.0.0.1", other, fixed=True) == other
        with pytest.raises(Failure, match=str(taken)):
            ports.choose("127.0.0.1", taken, fixed=True)
    assert ports.choose("127.0.0.1", 0, fixed=True) > 0


def test_a_data_folder_is_held_by_one_at_a_time_and_says_by_whom(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as first:
        first.write(Running(pid=4711, url="http://127.0.0.1:1", children={}))
        with pytest.raises(Failure, match="4711"), DataFolder(tmp_path):
            pass
    with DataFolder(tmp_path) as again:
        assert again.read() is None
    (tmp_path / "file").touch()
    with pytest.raises(Mistake), DataFolder(tmp_path / "file"):
        pass


def test_the_socket_moves_when_the_folder_s_name_is_too_long(tmp_path: Path) -> None:
    assert redis_server.socket_path(tmp_path) == tmp_path / "redis.sock"
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    moved = redis_server.socket_path(deep)
    assert not moved.is_relative_to(deep)
    assert moved.parent.stat().st_mode & 0o077 == 0
    assert redis_server.socket_path(deep) == moved, "the same at every start"
    redis_server.leave(deep)
    assert not moved.parent.exists()


def test_a_folder_of_redis_7_is_not_opened_by_an_older_one(tmp_path: Path) -> None:
    assert redis_server.version(binary()) >= redis_server.OLDEST
    assert redis_server.version(str(tmp_path / "nothing")) == (0, 0)
    packaged = redis_server._packaged()
    assert packaged is not None
    assert redis_server.version(packaged) == (6, 2)
    (tmp_path / redis_server.FOLDER_OF_7).mkdir()
    if redis_server.version(binary()) >= (7, 0):
        assert redis_server.binary(tmp_path) == binary()
    else:
        with pytest.raises(Mistake, match="Redis 7"):
            redis_server.binary(tmp_path)


def test_without_a_server_on_the_path_the_packaged_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.binary(tmp_path) == redis_server._packaged()


def test_a_walk_has_a_stable_order_and_names_sources_as_asked(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "deep/c.webp", ".hidden.png", ".git/d.png"):
        draw(tmp_path / name.replace(".PNG", ".png"), 1).rename(tmp_path / name)
    payloads = {"deep/c.webp": {"label": "c"}}
    found = find(tmp_path, source_root="set", payloads=payloads)
    assert [picture.source for picture in found.pictures] == ["set/a.jpg", "set/b.PNG", "set/deep/c.webp"]
    assert found.pictures[2].payload == {"label": "c"}
    one = find(tmp_path / "a.jpg", source_root=None, payloads={})
    assert [picture.source for picture in one.pictures] == [str((tmp_path / "a.jpg").resolve())]


@pytest.mark.parametrize("content", ["[1]", "{", '{"a.png": 1}'])
def test_a_sidecar_that_is_none_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "payloads.json").write_text(content)
    with pytest.raises(Mistake, match=r"payloads\.json"):
        read_sidecar(tmp_path, None)


def test_conditions_become_a_filter() -> None:
    assert filter_of(["group=a=b", "year=1999"]) == Filter(
        must=[Condition(key="group", match="a=b"), Condition(key="year", match=1999)]
    )
    assert filter_of([]) is None
