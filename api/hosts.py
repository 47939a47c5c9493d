"""Who may talk to us from a browser: the pages that we serve, under a name that is ours."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from shared.errors import Forbidden

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAMES = ("localhost", ".localhost")


def host_of(netloc: str) -> str:
    """The name or address in a Host header, without port and brackets; "" when there is none."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host that we are told to bind to can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_local_name(host: str) -> bool:
    """An address cannot be rebound by a foreign DNS server, a name of its own can."""
    if host.endswith(LOCAL_NAMES):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def same_origin(headers: Headers) -> bool:
    """True also without an Origin header: then it is no browser that asks, or no foreign page."""
    origin = headers.get("origin")
    if origin is None or headers.get("sec-fetch-site") in ("same-origin", "none"):
        return True
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False


def may_call(headers: Headers, *, origins: frozenset[str]) -> bool:
    """Our own pages may, and those of the origins that the settings name."""
    return same_origin(headers) or headers.get("origin", "").lower() in origins


class Hosts:
    """Refuses foreign pages: what they change by a form, and, without keys, what they read through a rebound name."""

    def __init__(self, app: ASGIApp, *, local_only: bool, origins: frozenset[str]) -> None:
        self.app = app
        self.local_only = local_only
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is not None:
            await problems.answer(refusal.problem())(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Forbidden | None:
        headers = Headers(scope=scope)
        if not self.allows_host(headers):
            return Forbidden(
                "without API keys, only local names may be used: open http://127.0.0.1 or http://localhost"
            )
        if scope["method"] not in SAFE and not may_call(headers, origins=self.origins):
            return Forbidden("a page of another origin may not change anything here")
        return None

    def allows_host(self, headers: Headers) -> bool:
        return not self.local_only or is_local_name(host_of(headers.get("host", "")))
