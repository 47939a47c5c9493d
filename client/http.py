"""Sends requests: the key in a header, refusals as errors, patience with a server that is busy or away."""

from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx
import msgspec

from client import calls
from client.address import Address
from client.backoff import Backoff
from client.calls import Call
from client.patience import Patience
from client.problems import PASSING, NoAnswer, Unreachable, failure_of, succeeded
from shared.jobs import FINAL, JobView, State

# Longer than the longest `wait`, so that the server ends a long poll, not we.
READ_S = 60.0
CONNECT_S = 5.0
WAIT_S = 30.0
PATIENCE_S = 10.0
# A worker makes and drops a collection within seconds, once it is there.
CHANGE_S = 120.0
# The server has not seen such a request; of the others the answer may have been lost.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
LOST = PASSING - {429}

Answer = TypeVar("Answer")


class Taken(msgspec.Struct, frozen=True):
    """What every answer about a job has, ended or not."""

    id: str
    state: State


class Http:
    """Calls one server; `patience_s` bounds how long one that is away or busy is asked again."""

    def __init__(
        self,
        address: Address,
        *,
        key: str | None = None,
        patience_s: float = PATIENCE_S,
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self._address = address
        self._patience_s = patience_s
        self._backoff = backoff
        self._client = httpx.AsyncClient(
            base_url=address.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            trust_env=not address.is_loopback,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, call: Call) -> httpx.Response:
        """A successful answer, or the refusal that says as much: see `Call.done`.

        Raises CliplineError: what the server refused for, or Unreachable.
        """
        patience = Patience(self._patience_s, self._backoff())
        request, lost = self._request(call), False
        while True:
            try:
                response = await self._client.send(request)
            except httpx.TransportError as error:
                lost = lost or not isinstance(error, NOT_SENT)
                await patience.wait(Unreachable(f"{self._address} does not answer: {_text(error)}"))
            else:
                if response.is_success:
                    return response
                failure = failure_of(response)
                if lost and call.done is not None and isinstance(failure, call.done):
                    return response
                if response.status_code not in PASSING:
                    raise failure
                lost = lost or response.status_code in LOST
                await patience.wait(failure)

    async def read(self, call: Call, type_: type[Answer]) -> Answer:
        return msgspec.json.decode((await self.send(call)).content, type=type_)

    async def json(self, call: Call) -> Any:
        """The decoded answer, whatever it is; None for an empty one."""
        content = (await self.send(call)).content
        return msgspec.json.decode(content) if content else None

    async def ended(self, call: Call, *, timeout_s: float) -> JobView:
        """The job that a call makes, when it ended, however it did. Raises NoAnswer."""
        ends = monotonic() + timeout_s
        waiting = replace(call, params={**call.params, "wait": _wait_s(timeout_s)})
        return await self.settled(await self.send(waiting), timeout_s=ends - monotonic())

    async def settled(self, response: httpx.Response, *, timeout_s: float) -> JobView:
        """The same for a call that was answered with its job. Raises NoAnswer."""
        taken = msgspec.json.decode(response.content, type=Taken)
        if taken.state in FINAL:
            return msgspec.json.decode(response.content, type=JobView)
        return await self.finished(taken.id, timeout_s=timeout_s)

    async def changed(self, call: Call) -> None:
        """A collection is made or dropped; a change that takes longer is answered with its job. Raises NoAnswer."""
        response = await self.send(call)
        if response.status_code == httpx.codes.ACCEPTED:
            succeeded(await self.settled(response, timeout_s=CHANGE_S))

    async def cancel(self, job_id: str) -> None:
        """Raises JobNotFound, JobFinished."""
        response = await self.send(calls.cancel(job_id))
        if not response.is_success and (await self.read(calls.job(job_id), Taken)).state != "cancelled":
            raise failure_of(response)

    async def finished(self, job_id: str, *, timeout_s: float) -> JobView:
        """A job when it ended. Raises NoAnswer when it has not within `timeout_s`."""
        ends = monotonic() + timeout_s
        while (left_s := ends - monotonic()) > 0:
            job = await self.read(calls.job(job_id, wait_s=_wait_s(left_s)), JobView)
            if job.state in FINAL:
                return job
        raise NoAnswer(f"job {job_id} has not ended after {timeout_s:.0f} s")

    def _request(self, call: Call) -> httpx.Request:
        headers = {"Idempotency-Key": uuid4().hex} if call.once else {}
        if call.body is not None:
            headers["Content-Type"] = call.body.content_type
        content = call.body.content if call.body is not None else None
        return self._client.build_request(call.method, call.path, params=call.params, content=content, headers=headers)


def _wait_s(left_s: float) -> float:
    return round(max(0.0, min(WAIT_S, left_s)), 3)


def _text(error: httpx.TransportError) -> str:
    """Some carry no text."""
    return str(error) or type(error).__name__
