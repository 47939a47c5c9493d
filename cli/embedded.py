"""The settings with which an embedded stack runs, and the address at which it answers."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cli.failures import Mistake
from client.address import is_loopback
from shared.settings import PREFIX, Settings, from_env, to_env

LOCAL_MODEL = "local-dir:"
NEEDED = ("torch", "open_clip", "PIL", "numpy")


def settings(environ: Mapping[str, str], *, data: Path, host: str | None, port: int | None) -> Settings:
    """What the children read, but for the Redis that the stack brings along.

    Raises SettingsError, and Mistake for what an embedded stack cannot do.
    """
    given = from_env(environ)
    changes: dict[str, object] = {"data_dir": str(data)}
    if host is not None:
        changes["host"] = host
    if port is not None:
        changes["port"] = port
    if PREFIX + "MODEL" not in environ:
        changes |= {"model": LOCAL_MODEL + str(bundled_model()), "pretrained": ""}
    made = msgspec.structs.replace(given, **changes)
    if not made.keys_file and not is_loopback(made.host):
        raise Mistake(
            f"--host {made.host}: without API keys only this machine may call; "
            "make one with `clipline keys add` and set CLIPLINE_KEYS_FILE"
        )
    if not made.keys_file and not made.ingest_roots:
        # One person on one machine: what they can read, their own worker may read.
        made = msgspec.structs.replace(made, ingest_roots="/")
    return made


def require_parts(*, edge: bool) -> None:
    """Raises Mistake when the packages of a worker are not installed."""
    names = [*NEEDED, "qdrant_edge"] if edge else NEEDED
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        extra = "embedded" if edge else "worker"
        raise Mistake(f"{', '.join(missing)} not installed; pip install 'clipline[{extra}]'")


def bundled_model() -> Path:
    """The small model that comes with Clipline, beside its packages."""
    folder = Path(__file__).resolve().parent.parent / "demo" / "model"
    if not (folder / "open_clip_config.json").is_file():
        raise Mistake("the bundled model is not installed; name one with CLIPLINE_MODEL")
    return folder


def environment(chosen: Settings) -> dict[str, str]:
    """The children's: these settings alone, and modules from where Clipline is installed, not the working folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, **to_env(chosen), "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def url(host: str, port: int) -> str:
    """As a browser on this machine calls it, also when the API listens on every address."""
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    shown = f"[{local}]" if ":" in local and not local.startswith("[") else local
    return f"http://{shown}:{port}"
