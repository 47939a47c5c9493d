"""JSON bodies: read within a bound, decoded once, checked against the settings."""

from typing import Any

from starlette.requests import Request

from shared.errors import BadPicture, Invalid, TooLarge, UnsupportedMediaType
from shared.jobs import Query, Search
from shared.problems import decode_json
from shared.settings import Settings

# First bytes of the formats that workers decode.
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def content_type(request: Request[Any]) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(request: Request[Any]) -> bool:
    kind = content_type(request)
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def read(request: Request[Any], type_: Any, *, most_bytes: int) -> Any:
    """Raises UnsupportedMediaType, TooLarge, BadRequest, Invalid."""
    if not is_json(request):
        raise UnsupportedMediaType("the body must be application/json")
    return decode(await read_bytes(request, most_bytes=most_bytes), type_)


def decode(data: bytes, type_: Any) -> Any:
    """Raises BadRequest for what is no JSON, even where the wrong type came first; else Invalid."""
    try:
        return decode_json(data, type_)
    except Invalid:
        decode_json(data, Any)
        raise


async def read_bytes(request: Request[Any], *, most_bytes: int) -> bytes:
    """Raises TooLarge as soon as it is known, before the rest is read."""
    refuse_large(request, most_bytes)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most_bytes:
            raise too_large(most_bytes)
    return bytes(data)


def refuse_large(request: Request[Any], most_bytes: int) -> None:
    """By the announced length, where there is one."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most_bytes:
        raise too_large(most_bytes)


def too_large(most_bytes: int) -> TooLarge:
    return TooLarge(f"at most {most_bytes:,} bytes")


def check_search(search: Search, settings: Settings, *, root: str = "") -> None:
    """The bounds that settings can lower. Raises Invalid, BadPicture, naming the field."""
    prefix = f"{root}." if root else ""
    if search.limit > settings.max_limit:
        raise Invalid(f"at most {settings.max_limit:,}", field=f"{prefix}limit")
    excluded = len(search.seen) + (len(search.exclude.ids) if search.exclude else 0)
    if excluded > settings.max_excluded_ids:
        raise Invalid(f"at most {settings.max_excluded_ids:,} ids in seen and exclude together", field=f"{prefix}seen")
    _check_query(search.query, settings, field=f"{prefix}query")
    for index, then in enumerate(search.then):
        _check_query(then.query, settings, field=f"{prefix}then[{index}].query")


def _check_query(query: Query, settings: Settings, *, field: str) -> None:
    if len(query.text or "") > settings.max_text_chars:
        raise Invalid(f"at most {settings.max_text_chars:,} characters", field=f"{field}.text")
    for index, one in enumerate(query.texts):
        if len(one.text) > settings.max_text_chars:
            raise Invalid(f"at most {settings.max_text_chars:,} characters", field=f"{field}.texts[{index}].text")
    check_picture(query, settings, field=f"{field}.image")


def check_picture(query: Query, settings: Settings, *, field: str) -> None:
    if query.image is None:
        return
    if len(query.image) > settings.max_file_bytes:
        raise BadPicture(f"at most {settings.max_file_bytes:,} bytes", field=field)
    if not looks_like_picture(query.image):
        raise BadPicture("neither JPEG, PNG, WebP, GIF, BMP nor TIFF", field=field)


def looks_like_picture(data: bytes) -> bool:
    """By the first bytes alone; whether it can be decoded is found out by a worker."""
    return data.startswith(MAGIC) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
