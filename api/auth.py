"""Who calls, and whether the role allows it."""

import logging

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from api.state import State
from shared.errors import Forbidden, Unauthorized, Unavailable
from shared.logs import about
from shared.settings import SettingsError
from shared.tenants import ANYONE, Identity, Keyring

logger = logging.getLogger(__name__)


def key_in(headers: Headers) -> str | None:
    """The API key in `Authorization: Bearer KEY` or `X-API-Key`."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key")


def identify(keyring: Keyring, key: str | None) -> Identity | None:
    """Raises Unavailable while the keys file cannot be read: then nobody can be told apart."""
    if keyring.open:
        return ANYONE
    if key is None:
        return None
    try:
        return keyring.identify(key)
    except SettingsError as error:
        logger.error("keys cannot be checked: %s", error)
        raise Unavailable("API keys cannot be checked right now") from error


class Identify:
    """Finds the caller of /v1 once, so that every log line and handler knows the tenant."""

    def __init__(self, app: ASGIApp, keyring: Keyring) -> None:
        self.app = app
        self.keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        try:
            identity = identify(self.keyring, key_in(Headers(scope=scope)))
        except Unavailable as error:
            await problems.answer(error.problem())(scope, receive, send)
            return
        scope["state"]["identity"] = identity
        with about(tenant=identity.tenant if identity else None):
            await self.app(scope, receive, send)


def reader(request: Request[State]) -> Identity:
    """Any known key may read and search. Raises Unauthorized."""
    identity = request.state["identity"]
    if identity is None:
        raise Unauthorized("send the API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`")
    return identity


def writer(request: Request[State]) -> Identity:
    """Users and operators may change things. Raises Unauthorized, Forbidden."""
    identity = reader(request)
    if not identity.may_write:
        raise Forbidden(f"the role {identity.role!r} may look and search, not change anything")
    return identity


def operator(request: Request[State]) -> Identity:
    """Operators, and viewers, who may look. Raises Unauthorized, Forbidden."""
    identity = reader(request)
    if not identity.may_operate:
        raise Forbidden(f"the role {identity.role!r} does not see workers and queues")
    return identity


def controller(request: Request[State]) -> Identity:
    """Operators alone, and nobody in read-only mode. Raises Unauthorized, Forbidden."""
    identity = auditor(request)
    if request.state["settings"].read_only:
        raise Forbidden("read-only mode: operators may look, and change nothing (CLIPLINE_READ_ONLY)")
    return identity


def auditor(request: Request[State]) -> Identity:
    """Operators alone, who may read what they did. Raises Unauthorized, Forbidden."""
    identity = reader(request)
    if not identity.may_control:
        raise Forbidden(f"the role {identity.role!r} does not control workers and queues")
    return identity
