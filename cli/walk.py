"""What a folder holds: its pictures and videos in a stable order, and why the rest is left out."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from cli.failures import Mistake
from shared.jobs import Payload
from shared.media import is_video

SUFFIXES = frozenset({
    ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
})  # fmt: skip
SIDECAR = "payloads.json"


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A file to index, picture or video; its item's id follows from `source`."""

    path: Path
    source: str
    payload: Payload | None = None

    @property
    def is_video(self) -> bool:
        return is_video(self.path.name)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was not indexed."""

    path: str
    reason: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """`skipped` cannot be indexed; `failed` could not be read."""

    pictures: list[Picture] = msgspec.field(default_factory=list)
    skipped: list[Left] = msgspec.field(default_factory=list)
    failed: list[Left] = msgspec.field(default_factory=list)


def find(root: Path, *, source_root: str | None, payloads: Mapping[str, Payload]) -> Found:
    """Walk a folder, or look at one file. Hidden names and the sidecar are passed over.

    A source is the absolute path, or the path below `root` after `source_root`, which stays the same on every machine.
    """
    top = root.resolve()
    base = top if top.is_dir() else top.parent
    found = Found()
    for path in _files(top, found) if top.is_dir() else [top]:
        name = path.relative_to(base).as_posix()
        reason = _unfit(path)
        if reason is not None:
            found.skipped.append(Left(path=str(path), reason=reason))
        elif not path.is_file():
            found.failed.append(Left(path=str(path), reason="a link that leads nowhere, or no regular file"))
        else:
            source = f"{source_root}/{name}" if source_root else str(path)
            found.pictures.append(Picture(path=path, source=source, payload=payloads.get(name)))
    return found


def read_sidecar(root: Path, given: Path | None) -> dict[str, Payload]:
    """Payloads by relative file name: those of `given`, else of the folder's own file. Raises Mistake."""
    path = given or root / SIDECAR
    if given is None and not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Payload])
    except OSError as error:
        raise Mistake(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise Mistake(f"{path}: {error}; it maps each file's relative name to an object") from error


def _files(folder: Path, found: Found) -> Iterator[Path]:
    """Depth first, by name; each folder once, however many links lead to it."""
    waiting, visited = [folder], set[tuple[int, int]]()
    while waiting:
        current = waiting.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in visited:
                found.skipped.append(Left(path=str(current), reason="a link to a folder that was walked already"))
                continue
            visited.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(current), key=lambda entry: entry.name)
        except OSError as error:
            found.failed.append(Left(path=str(current), reason=f"cannot be read: {error.strerror}"))
            continue
        shown = [entry for entry in entries if not entry.name.startswith(".") and entry.name != SIDECAR]
        waiting += [Path(entry.path) for entry in reversed(shown) if entry.is_dir()]
        yield from (Path(entry.path) for entry in shown if not entry.is_dir())


def _unfit(path: Path) -> str | None:
    """Why a name rules a file out, or None."""
    if path.suffix.lower() not in SUFFIXES and not is_video(path.name):
        return f"neither picture nor video ({path.suffix.lower() or 'no suffix'})"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return None
