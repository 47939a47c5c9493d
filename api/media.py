"""The pictures of items, as files that workers wrote."""

import os
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from api import auth, params
from api.items import item_id_in
from api.state import State
from shared.errors import ItemNotFound
from shared.media import CONTENT_TYPES, paths_of

# Long enough that paging back shows pictures at once, short enough that a picture that changed is seen soon.
CACHE = "private, max-age=300"


async def show(request: Request[State]) -> Response:
    """Redis is not asked: the path has the tenant in it, and a dropped collection has no files."""
    identity = auth.reader(request)
    size = params.read(request, params.MediaParams).size
    item_id, name = item_id_in(request), request.path_params["name"]
    root = request.state["settings"].media_path
    missing = ItemNotFound(f"no picture of item {item_id} in {name!r}")
    try:
        paths = paths_of(root, identity.tenant, name, item_id, size)
    except ValueError as error:
        raise missing from error
    found = await to_thread.run_sync(_first_inside, root, paths)
    if found is None:
        raise missing
    path, status = found
    file = FileResponse(path, stat_result=status, media_type=CONTENT_TYPES[path.suffix])
    return unless_cached(request, file, cache=CACHE)


def unless_cached(request: Request[State], response: FileResponse, *, cache: str) -> Response:
    """304 when the caller has this very file already."""
    response.headers["Cache-Control"] = cache
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if response.headers["etag"] not in known:
        return response
    return Response(status_code=304, headers={"ETag": response.headers["etag"], "Cache-Control": cache})


def _first_inside(root: Path, paths: Sequence[Path]) -> tuple[Path, os.stat_result] | None:
    for path in paths:
        if status := _stat_inside(root, path):
            return path, status
    return None


def _stat_inside(root: Path, path: Path) -> os.stat_result | None:
    """The file's status when it is a file and lies, links followed, below `root`."""
    try:
        if not path.resolve(strict=True).is_relative_to(root.resolve()) or not path.is_file():
            return None
        return path.stat()
    except OSError:
        return None
