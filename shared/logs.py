"""Logs: one line an event, with the job, the tenant and the trace that it belongs to."""

import asyncio
import logging
from contextlib import nullcontext, suppress
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from shared.settings import Settings

# So many lines of one turn of an event loop wait for its end.
LINES_AT_MOST = 64

_job: ContextVar[str] = ContextVar("job", default="-")
_tenant: ContextVar[str] = ContextVar("tenant", default="-")
_trace: ContextVar[str] = ContextVar("trace", default="-")


class _About:
    """Small, because every open connection is inside of two."""

    __slots__ = ("_given", "_tokens")

    def __init__(self, *given: tuple[ContextVar[str], str | None]) -> None:
        self._given = given
        self._tokens: list[tuple[ContextVar[str], Token[str]]] = []

    def __enter__(self) -> None:
        self._tokens = [(variable, variable.set(value)) for variable, value in self._given if value is not None]
        del self._given

    def __exit__(self, *_: object) -> None:
        for variable, token in self._tokens:
            variable.reset(token)


def about(*, job: str | None = None, tenant: str | None = None, trace: str | None = None) -> _About:
    """Every line logged inside carries these."""
    return _About((_job, job), (_tenant, tenant), (_trace, trace))


def current_trace() -> str:
    return _trace.get()


class _Context(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.job, record.tenant, record.trace = _job.get(), _tenant.get(), _trace.get()
        return True


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)-7s %(name)s job=%(job)s tenant=%(tenant)s trace=%(trace)s %(message)s"
        )


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "job": getattr(record, "job", "-"),
            "tenant": getattr(record, "tenant", "-"),
            "trace": getattr(record, "trace", "-"),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class _Gathering(logging.StreamHandler[TextIO]):
    """Writes the lines of one turn of an event loop together: a write for each was a tenth of an API's CPU time.

    Warnings, and what is said outside of a loop, go out at once, behind what was said before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._told: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record) + self.terminator)
        except Exception:  # noqa: BLE001 - as logging's own handlers: a line that cannot be written stops nobody
            self.handleError(record)
        loop = _running_loop()
        if loop is None or record.levelno >= logging.WARNING or len(self._lines) >= LINES_AT_MOST:
            self.flush()
        elif loop is not self._told:
            self._told = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        with self.lock or nullcontext():
            lines, self._lines, self._told = self._lines, [], None
            # Nobody may be left to read them.
            with suppress(OSError, ValueError):
                if lines:
                    self.stream.write("".join(lines))
                super().flush()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def configure(settings: Settings) -> None:
    """Set up the root logger, once, in `main`."""
    handler = _Gathering()
    handler.setFormatter(_Json() if settings.log_format == "json" else _Text())
    handler.addFilter(_Context())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for chatty in ("arq", "httpx", "httpcore", "PIL"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
