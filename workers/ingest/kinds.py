"""Whether a file is a picture or a video: by its first bytes, else by its name."""

from pathlib import Path

from shared.media import Kind, is_video

HEAD_BYTES = 400
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
VIDEOS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM (EBML, RFC 8794)
    b"\0\0\1\xba",  # MPEG program stream
    b"\0\0\1\xb3",  # MPEG video
    b"FLV\1",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV
    b"OggS",
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02",  # MXF
)
# First boxes of ISO media and QuickTime files.
BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
# The same container holds still pictures of other kinds.
STILLS = frozenset({b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis"})
TS_PACKET_BYTES, TS_SYNC = 188, 0x47


def kind_of(path: Path) -> Kind:
    """Raises OSError. What is no regular file is not opened: a pipe would never answer."""
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    return _kind_in(head) or kind_by_name(path.name)


def kind_by_name(name: str) -> Kind:
    return "video" if is_video(name) else "picture"


def _kind_in(head: bytes) -> Kind | None:
    if head.startswith(PICTURES):
        return "picture"
    if head.startswith(VIDEOS) or _is_transport_stream(head):
        return "video"
    if head[4:8] in BOXES:
        return "picture" if head[4:8] == b"ftyp" and head[8:12] in STILLS else "video"
    if head.startswith(b"RIFF"):
        return {b"WEBP": "picture", b"AVI ": "video"}.get(head[8:12])  # type: ignore[return-value]
    return None


def _is_transport_stream(head: bytes) -> bool:
    return len(head) > TS_PACKET_BYTES and head[0] == head[TS_PACKET_BYTES] == TS_SYNC
