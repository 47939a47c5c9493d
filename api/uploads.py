"""Multipart uploads: parsed while they arrive, written in threads, never whole in memory."""

from typing import Any

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from api import bodies
from api.spool import Spool, SpoolFile, Step
from shared.errors import BadRequest, Invalid, TooLarge
from shared.media import is_video
from shared.settings import Settings

MAX_FILES = 1_000
MAX_SOURCE = 4_096
MAX_PART_HEADER_BYTES = 16_384
# So much is gathered before a thread writes it: one hop for a megabyte, not for every packet.
FLUSH_BYTES = 2**20


class Upload(msgspec.Struct):
    """What arrived: files in their order, and the payload field's bytes."""

    files: list[SpoolFile]
    payload: bytes


class Parts:
    """The parser's callbacks; they only note what is to be written."""

    def __init__(self, spool: Spool, settings: Settings) -> None:
        self.spool = spool
        self.settings = settings
        self.upload = Upload([], b"")
        self.steps: list[Step] = []
        self.noted_bytes = 0
        self.ended = False
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._file: SpoolFile | None = None
        self._payload = bytearray()
        self._has_payload = False

    def callbacks(self) -> dict[str, Any]:
        names = (
            "part_begin",
            "part_data",
            "part_end",
            "header_field",
            "header_value",
            "header_end",
            "headers_finished",
        )
        return {f"on_{name}": getattr(self, name) for name in names} | {"on_end": self.end}

    def part_begin(self) -> None:
        self._disposition = b""
        self._file = None

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def header_end(self) -> None:
        name, value = self._header
        if bytes(name).lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        match _text(options.get(b"name", b"")), options.get(b"filename"):
            case "files", bytes() as filename:
                self._begin_file(_text(filename))
            case "payload", None if not self._has_payload:
                self._has_payload = True
            case "files", None:
                raise Invalid("every file needs a file name", field="files")
            case name, _:
                raise Invalid(
                    "a multipart body has the fields `files`, repeated, and at most one `payload`", field=name
                )

    def _begin_file(self, source: str) -> None:
        if len(self.upload.files) >= MAX_FILES:
            raise Invalid(f"at most {MAX_FILES:,} files", field="files")
        if not 1 <= len(source) <= MAX_SOURCE or not source.isprintable():
            raise Invalid(f"a file's name has 1 to {MAX_SOURCE:,} printable characters", field="files")
        path = self.spool.unfinished / f"{len(self.upload.files):04d}"
        self._file = SpoolFile(path, source, most_bytes=self._most_bytes(source))
        self.upload.files.append(self._file)

    def _most_bytes(self, source: str) -> int:
        """By its name; what it holds is for the workers to find out."""
        return self.settings.max_video_bytes if is_video(source) else self.settings.max_file_bytes

    def part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._file is None:
            self._payload += piece
            if len(self._payload) > self.settings.max_body_bytes:
                raise TooLarge(f"`payload` has at most {self.settings.max_body_bytes:,} bytes", field="payload")
            return
        self._file.size += len(piece)
        if not self._file.too_large:
            self.steps.append((self._file, piece))
            self.noted_bytes += len(piece)

    def part_end(self) -> None:
        if self._file is not None:
            self.steps.append((self._file, None))

    def end(self) -> None:
        self.ended = True
        self.upload.payload = bytes(self._payload)

    def take(self) -> list[Step]:
        steps, self.steps, self.noted_bytes = self.steps, [], 0
        return steps


async def receive(request: Request[Any], spool: Spool, settings: Settings) -> Upload:
    """Spool a multipart body. Raises TooLarge, BadRequest, Invalid, Unavailable; the caller removes the spool then."""
    bodies.refuse_large(request, settings.max_upload_bytes)
    parts = Parts(spool, settings)
    try:
        await _feed(request, parts, _parser(request, parts))
    except FormParserError as error:
        raise BadRequest(f"not multipart/form-data: {error}") from error
    finally:
        for file in parts.upload.files:
            file.close()
    return parts.upload


def _parser(request: Request[Any], parts: Parts) -> MultipartParser:
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary")
    if not boundary:
        raise BadRequest("multipart/form-data without a boundary")
    return MultipartParser(boundary, parts.callbacks(), max_header_size=MAX_PART_HEADER_BYTES)  # type: ignore[arg-type]


async def _feed(request: Request[Any], parts: Parts, parser: MultipartParser) -> None:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > parts.settings.max_upload_bytes:
            raise bodies.too_large(parts.settings.max_upload_bytes)
        if chunk:
            parser.write(chunk)
        if parts.noted_bytes >= FLUSH_BYTES:
            await parts.spool.run(parts.take())
    if not parts.ended:
        raise BadRequest("the multipart body ends early")
    await parts.spool.run(parts.take())


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
