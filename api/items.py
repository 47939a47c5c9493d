"""/v1/collections/{name}/items: add pictures and videos by upload or by reference, read one."""

from pathlib import PurePath
from typing import Any

import msgspec
from anyio import CancelScope
from starlette.requests import Request
from starlette.responses import Response

from api import auth, bodies, models, params, reading, uploads
from api.answers import answer
from api.problems import answer as problem_answer
from api.spool import Spool, SpoolFile
from api.state import State
from api.submission import answer_to, enqueue, submit
from shared.errors import (
    BadRequest,
    Invalid,
    ItemNotFound,
    PictureTooLarge,
    Problem,
    QueueFull,
    UnsupportedMediaType,
    VideoTooLarge,
)
from shared.jobs import (
    MAX_ID,
    Collection,
    File,
    Files,
    Ingest,
    Items,
    ItemsResult,
    Neighbours,
    NeighboursResult,
    Payload,
    Skipped,
)
from shared.lanes import lane_name
from shared.media import is_video

Payloads = Payload | list[Payload | None]


class IngestRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files that the workers can see, by absolute `path`; or known by `hash` alone, to ask which are wanted."""

    files: Files


async def add(request: Request[State]) -> Response:
    """Multipart is an upload, JSON is by reference; both give one ingest job."""
    identity = auth.writer(request)
    given = params.read(request, params.IngestParams)
    params.bounded(given.wait, most_s=request.state["settings"].max_wait_s)
    found = await request.state["collections"].get(identity.tenant, request.path_params["name"])
    if bodies.is_json(request):
        return await _refer(request, found, given, tenant=identity.tenant)
    if bodies.content_type(request) == "multipart/form-data":
        return await _upload(request, found, given, tenant=identity.tenant)
    raise UnsupportedMediaType("send multipart/form-data with `files`, or application/json")


async def _refer(
    request: Request[State], collection: Collection, given: params.IngestParams, *, tenant: str
) -> Response:
    model_name = models.serving(request.state, collection)
    most_bytes = request.state["settings"].max_body_bytes
    wanted: IngestRequest = await bodies.read(request, IngestRequest, most_bytes=most_bytes)
    for index, file in enumerate(wanted.files):
        _check_reference(file, index)
    job = Ingest(collection=collection.name, files=wanted.files, video_step_s=given.video_step_s)
    key = params.idempotency_key(request)
    return await enqueue(request, job, tenant=tenant, wait_s=given.wait, idempotency_key=key, model_name=model_name)


def _check_reference(file: File, index: int) -> None:
    if file.path is None and file.hash is None:
        raise Invalid("a file needs a path, or a hash to ask about", field=f"files[{index}]")
    if file.path is not None and ("\0" in file.path or not PurePath(file.path).is_absolute()):
        raise Invalid("a path is absolute, as the workers see it", field=f"files[{index}].path")


async def _upload(
    request: Request[State], collection: Collection, given: params.IngestParams, *, tenant: str
) -> Response:
    if params.idempotency_key(request) is not None:
        raise BadRequest("an upload takes no Idempotency-Key: the same pictures sent again add nothing")
    model_name = models.serving(request.state, collection)
    await _require_room(request.state, lane_name("bulk", model_name))
    settings = request.state["settings"]
    spool = Spool(settings.media_path, tenant)
    try:
        await spool.create()
        job = _ingest(collection.name, await uploads.receive(request, spool, settings), spool)
        job = msgspec.structs.replace(job, video_step_s=given.video_step_s)
        await spool.complete()
        submitted = await submit(request.state, job, tenant=tenant, model_name=model_name)
    except BaseException:
        # No job knows of the files, so nobody else would remove them.
        with CancelScope(shield=True):
            await spool.remove()
        raise
    return await answer_to(request.state, job, submitted, tenant=tenant, wait_s=given.wait)


async def _require_room(state: State, lane: str) -> None:
    """A full lane is told before 64 MiB have been sent for nothing."""
    if not (await state["lanes"].one(lane)).has_room:
        raise QueueFull("too many uploads are waiting to be indexed")


def _ingest(collection: str, upload: uploads.Upload, spool: Spool) -> Ingest:
    """Files over the limit are left out and reported; the others go on."""
    if not upload.files:
        raise Invalid("an upload needs at least one file in `files`", field="files")
    payloads = _payloads(upload)
    pairs = list(zip(upload.files, payloads, strict=True))
    files = [_spooled(file, payload) for file, payload in pairs if not file.too_large]
    rejected = [_rejected(file) for file in upload.files if file.too_large]
    if not files:
        error = VideoTooLarge if rejected[0].type == VideoTooLarge.slug else PictureTooLarge
        raise error(f"{rejected[0].source}: {rejected[0].reason}", field="files")
    return Ingest(collection=collection, files=files, spool=spool.name, rejected=rejected)


def _spooled(file: SpoolFile, payload: Payload | None) -> File:
    return File(source=file.source, path=file.path.name, payload=payload)


def _rejected(file: SpoolFile) -> Skipped:
    reason = f"{file.size:,} bytes, at most {file.most_bytes:,} are allowed"
    error = VideoTooLarge if is_video(file.source) else PictureTooLarge
    return Skipped(source=file.source, reason=reason, type=error.slug)


def _payloads(upload: uploads.Upload) -> list[Payload | None]:
    """One object is meant for every file, an array has one for each."""
    if not upload.payload:
        return [None] * len(upload.files)
    try:
        given: Any = bodies.decode(upload.payload, Payloads)
    except Invalid as error:
        raise Invalid(error.detail, field=".".join(filter(None, ["payload", error.field]))) from error
    if isinstance(given, dict):
        return [given] * len(upload.files)
    if len(given) != len(upload.files):
        raise Invalid(f"{len(given)} payloads for {len(upload.files)} files", field="payload")
    return list(given)


async def show(request: Request[State]) -> Response:
    """One item's payload, read by a worker on the interactive lane."""
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    found = await request.state["collections"].get(identity.tenant, request.path_params["name"])
    item_id = item_id_in(request)
    job = Items(collection=found.name, ids=[item_id])
    result = await reading.read(request, job, ItemsResult, tenant=identity.tenant, collection=found)
    if isinstance(result, Problem):
        return problem_answer(result)
    if not result.items:
        raise _no_item(item_id, found.name)
    return answer(result.items[0])


async def neighbours(request: Request[State]) -> Response:
    """What stands before and after an item in its group."""
    identity = auth.reader(request)
    around = params.read(request, params.NeighboursParams)
    found = await request.state["collections"].get(identity.tenant, request.path_params["name"])
    if found.group_field is None:
        raise Invalid(f"collection {found.name!r} has no group_field", field="name")
    job = Neighbours(collection=found.name, id=item_id_in(request), before=around.before, after=around.after)
    result = await reading.read(request, job, NeighboursResult, tenant=identity.tenant, collection=found)
    if isinstance(result, Problem):
        return problem_answer(result)
    if result.item is None:
        raise _no_item(job.id, found.name)
    return answer(result)


def _no_item(item_id: int, collection: str) -> ItemNotFound:
    return ItemNotFound(f"no item {item_id} in {collection!r}")


def item_id_in(request: Request[State]) -> int:
    """Raises ItemNotFound for what cannot be an item's id."""
    text: str = request.path_params["item_id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID)) and int(text) <= MAX_ID):
        raise ItemNotFound(f"no item {text!r}")
    return int(text)
