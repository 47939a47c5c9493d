"""The pages and their assets, built by `npm run build` in web/ into api/static/."""

import os
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from api.media import unless_cached
from api.state import State
from shared.errors import NotFound

STATIC = Path(__file__).parent / "static"
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
# Told here, because Python's own table is read from the system's files at first use.
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
# An asset's name has the hash of its content in it.
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Clipline</title></head>
<body><h1>Clipline runs, its pages are not built</h1>
<p>Build them once with <code>cd web &amp;&amp; npm ci &amp;&amp; npm run build</code>, then load this page again.
The API is there already: see <a href="openapi.json">openapi.json</a>.</p></body></html>
"""


async def search(request: Request[State]) -> Response:
    return await _page(request, "index.html")


async def dashboard(request: Request[State]) -> Response:
    return await _page(request, "dashboard.html")


async def docs(request: Request[State]) -> Response:
    return await _page(request, "docs.html")


async def asset(request: Request[State]) -> Response:
    return await _file(request, Path("assets") / request.path_params["path"], cache=FOR_EVER)


async def icon(request: Request[State]) -> Response:
    return await _file(request, Path("favicon.svg"), cache=ASK_AGAIN)


async def _page(request: Request[State], name: str) -> Response:
    try:
        return await _file(request, Path(name), cache=ASK_AGAIN)
    except NotFound:
        return HTMLResponse(NOT_BUILT, headers=SECURITY | {"Cache-Control": "no-store"})


async def _file(request: Request[State], name: Path, *, cache: str) -> Response:
    status = await to_thread.run_sync(_stat, name)
    if status is None:
        raise NotFound(f"no {name.name!r} here")
    kind = TYPES.get(name.suffix, "application/octet-stream")
    file = FileResponse(STATIC / name, stat_result=status, headers=SECURITY, media_type=kind)
    return unless_cached(request, file, cache=cache)


def _stat(name: Path) -> os.stat_result | None:
    try:
        path = (STATIC / name).resolve(strict=True)
        return path.stat() if path.is_relative_to(STATIC.resolve()) and path.is_file() else None
    except (OSError, ValueError):
        return None
