"""The command line's HTTP client: problems and lost connections become failures that people can read."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from ipaddress import ip_address
from time import monotonic
from typing import Any

import httpx
import msgspec

from cli.failures import Failure, Mistake, Unreachable
from shared.errors import Problem
from shared.jobs import FINAL, JobView

# Longer than the longest `wait`, so that the server ends a long poll, not we.
READ_S = 60.0
CONNECT_S = 5.0
WAIT_S = 30
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 10.0
BUSY = frozenset({429, 502, 503, 504})


class Refused(Failure):
    """The server said no, and why."""

    def __init__(self, problem: Problem) -> None:
        where = f" ({problem.field})" if problem.field else ""
        detail = f": {problem.detail}" if problem.detail and problem.detail != problem.title else ""
        super().__init__(f"{problem.title}{detail}{where}")
        self.problem = problem


class Client:
    """Calls one server; `patience_s` bounds how long an unreachable or busy one is tried again."""

    def __init__(self, http: httpx.AsyncClient, *, patience_s: float, random_: Callable[[], float]) -> None:
        self._http = http
        self._patience_s = patience_s
        self._random = random_

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        body: Callable[[], Mapping[str, Any]] | None = None,
    ) -> Any:
        """The decoded answer; `body` makes httpx's arguments afresh for every try. Raises Refused, Unreachable."""
        ends, pause_s = monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            content = body() if body is not None else _json_body(json)
            try:
                response = await self._http.request(method, path, params=params, **content)
            except httpx.TransportError as error:
                failure: Failure = Unreachable(f"{self._http.base_url} does not answer: {_why(error)}")
                wait_s = pause_s * (0.5 + self._random() / 2)
            else:
                if response.status_code not in BUSY:
                    return _answer(response)
                failure = Unreachable(str(_refused(response)))
                wait_s = _retry_after_s(response) or pause_s
            if monotonic() + wait_s > ends:
                raise failure
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def finished(self, job_id: str, *, timeout_s: float) -> JobView:
        """The job when it ended. Raises Failure when it has not within `timeout_s`."""
        ends = monotonic() + timeout_s
        while (left_s := ends - monotonic()) > 0:
            wait_s = max(1, min(WAIT_S, int(left_s)))
            job = view(await self.call("GET", f"/v1/jobs/{job_id}", params={"wait": wait_s}))
            if job.state in FINAL:
                return job
        raise Failure(f"job {job_id} has not ended after {timeout_s:.0f} s; `clipline jobs show {job_id}` tells more")

    async def ended(self, answer: Any, *, timeout_s: float) -> JobView:
        """The job that a call submitted, when it ended: at once when the answer says so."""
        return view(answer) if answer["state"] in FINAL else await self.finished(answer["id"], timeout_s=timeout_s)


@contextlib.asynccontextmanager
async def connect(url: str, key: str | None, *, patience_s: float = 0.0) -> AsyncIterator[Client]:
    """Raises Mistake for an address that is none."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Mistake(f"--url {url!r}: {error}") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise Mistake(f"--url {url!r}: an address starts with http:// or https:// and names a host")
    async with httpx.AsyncClient(
        base_url=address,
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
        # A proxy for the outside world cannot reach this machine's loopback.
        trust_env=not is_loopback(address.host),
    ) as http:
        yield Client(http, patience_s=patience_s, random_=random.random)


def view(answer: Any) -> JobView:
    return msgspec.convert(answer, JobView)


def succeeded(job: JobView) -> dict[str, Any]:
    """The result of an ended job. Raises Refused with why it has none."""
    if job.state == "succeeded":
        return job.result or {}
    raise Refused(job.error or Problem(type=job.state, title=f"The job ended as {job.state}", status=500))


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _json_body(json: object) -> dict[str, Any]:
    if json is None:
        return {}
    return {"content": msgspec.json.encode(json), "headers": {"Content-Type": "application/json"}}


def _answer(response: httpx.Response) -> Any:
    if response.is_success:
        return msgspec.json.decode(response.content) if response.content else None
    raise _refused(response)


def _refused(response: httpx.Response) -> Refused:
    try:
        return Refused(msgspec.json.decode(response.content, type=Problem))
    except msgspec.MsgspecError:
        title = f"{response.url} answered {response.status_code} {response.reason_phrase}".rstrip()
        return Refused(Problem(type="unknown", title=title, status=response.status_code))


def _why(error: httpx.TransportError) -> str:
    """Some carry no text."""
    return str(error) or type(error).__name__


def _retry_after_s(response: httpx.Response) -> float | None:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
