"""Every line says which job, tenant and trace it belongs to."""

import asyncio
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from shared import logs
from shared.settings import Settings

logger = logging.getLogger("tests.logs")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What went to standard error; the root logger is as before afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield lambda: capsys.readouterr().err
    root.handlers[:] = before
    root.setLevel(level)


def configure(form: Literal["text", "json"]) -> None:
    logs.configure(Settings(log_format=form, log_level="debug"))


def test_a_line_of_text_names_job_tenant_and_trace(said: Callable[[], str]) -> None:
    configure("text")
    with logs.about(job="j1", tenant="t1", trace="r1"):
        logger.info("job %s ← %d hits", "j1", 3)
    assert "job=j1 tenant=t1 trace=r1 job j1 ← 3 hits" in said()


def test_a_line_outside_of_any_job_says_so(said: Callable[[], str]) -> None:
    configure("text")
    logging.getLogger("some.library").warning("hm")
    assert "job=- tenant=- trace=- hm" in said()


def test_a_line_of_json_is_one_object(said: Callable[[], str]) -> None:
    configure("json")
    with logs.about(job="j1", tenant="t1", trace="r1"):
        logger.warning('two\nlines and "quotes"')
    [line] = said().splitlines()
    told = json.loads(line)
    at = told.pop("at")
    assert at.endswith("+00:00")
    assert told == {
        "level": "warning",
        "logger": "tests.logs",
        "job": "j1",
        "tenant": "t1",
        "trace": "r1",
        "message": 'two\nlines and "quotes"',
    }


def test_an_exception_stays_on_its_line_of_json(said: Callable[[], str]) -> None:
    configure("json")
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it broke")
    [line] = said().splitlines()
    assert "ValueError: broken" in json.loads(line)["exception"]


def test_what_is_about_a_job_ends_with_its_block() -> None:
    with logs.about(trace="outer", tenant="t"):
        with logs.about(job="j", trace="inner"):
            assert logs.current_trace() == "inner"
        assert logs.current_trace() == "outer"
        with pytest.raises(RuntimeError), logs.about(trace="broken"):
            raise RuntimeError
        assert logs.current_trace() == "outer"
    assert logs.current_trace() == "-"


@pytest.mark.anyio
async def test_context_does_not_leak_between_tasks(said: Callable[[], str]) -> None:
    configure("json")
    met = asyncio.Barrier(5)

    async def work(name: str) -> None:
        with logs.about(job=name, tenant=f"tenant of {name}", trace=f"trace of {name}"):
            await met.wait()
            logger.info("said by %s", name)
            await met.wait()
        logger.info("left by %s", name)

    await asyncio.gather(*(work(f"j{number}") for number in range(5)))
    told = [json.loads(line) for line in said().splitlines()]
    inside = [line for line in told if line["message"].startswith("said")]
    assert len(inside) == 5
    for line in inside:
        name = line["message"].removeprefix("said by ")
        assert (line["job"], line["tenant"], line["trace"]) == (name, f"tenant of {name}", f"trace of {name}")
    left = [line for line in told if line["message"].startswith("left")]
    assert [line["job"] for line in left] == ["-"] * 5


def test_chatty_libraries_are_quiet(said: Callable[[], str]) -> None:
    configure("text")
    logging.getLogger("arq.worker").info("psst")
    logging.getLogger("PIL.PngImagePlugin").debug("psst")
    assert said() == ""


def test_the_level_is_the_one_that_was_set(said: Callable[[], str]) -> None:
    logs.configure(Settings(log_level="error"))
    logger.warning("not this")
    logger.error("but this")
    assert said().count("\n") == 1


@pytest.mark.anyio
async def test_the_lines_of_one_turn_of_a_loop_are_written_when_it_ends_in_their_order(said: Callable[[], str]) -> None:
    configure("text")
    logger.info("first")
    logger.info("second")
    assert said() == ""
    await asyncio.sleep(0)
    assert [line.rpartition(" ")[2] for line in said().splitlines()] == ["first", "second"]


@pytest.mark.anyio
async def test_a_warning_goes_out_at_once_behind_what_was_said_before(said: Callable[[], str]) -> None:
    configure("text")
    logger.info("first")
    logger.warning("second")
    assert [line.rpartition(" ")[2] for line in said().splitlines()] == ["first", "second"]


@pytest.mark.anyio
async def test_a_thread_does_not_wait_for_the_turn_of_a_loop(said: Callable[[], str]) -> None:
    configure("text")
    logger.info("first")
    thread = threading.Thread(target=logger.info, args=("second",))
    thread.start()
    thread.join()
    assert [line.rpartition(" ")[2] for line in said().splitlines()] == ["first", "second"]


@pytest.mark.anyio
async def test_a_turn_that_has_much_to_say_does_not_keep_it(said: Callable[[], str]) -> None:
    configure("text")
    for number in range(logs.LINES_AT_MOST + 1):
        logger.info("line %d", number)
    assert said().count("\n") == logs.LINES_AT_MOST


def test_what_a_loop_left_unsaid_when_it_ended_goes_out_with_the_next_line(said: Callable[[], str]) -> None:
    configure("text")

    async def say() -> None:
        logger.info("first")

    with asyncio.Runner() as runner:
        runner.run(say())
    with asyncio.Runner() as runner:
        runner.run(say())
    logger.info("last")
    ours = [line.rpartition(" ")[2] for line in said().splitlines() if logger.name in line]
    assert ours == ["first", "first", "last"]


def test_a_closed_stream_stops_nobody(monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure("text")
    stream.close()
    logger.warning("nobody reads this")
    assert said() == ""
