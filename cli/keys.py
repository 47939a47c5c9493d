"""`clipline keys`: API keys."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli.failures import Mistake
from cli.options import err
from shared.settings import from_env
from shared.tenants import Role
from shared.tenants import add as add_key

app = typer.Typer(help="API keys: who may call, for which tenant.", no_args_is_help=True, rich_markup_mode="markdown")

Tenant = Annotated[str, typer.Argument(help="Whose data the key opens; small letters, digits, _ and -.")]
RoleOption = Annotated[
    Role,
    typer.Option(
        "--role",
        help="user searches and changes collections; viewer searches, and sees workers and queues; operator may do all "
        "of it, and controls these.",
    ),
]
KeysFile = Annotated[Path | None, typer.Option("--file", help="Keys file; instead of CLIPLINE_KEYS_FILE.")]


@app.callback()
def keys() -> None:
    """Groups the commands: without it, one command alone would swallow its name."""


@app.command()
def add(tenant: Tenant, role: RoleOption = "user", file: KeysFile = None) -> None:
    """Make a key, store its hash, print the key once.

    Examples:

        clipline keys add studio --role user --file keys.toml

        CLIPLINE_KEYS_FILE=/etc/clipline/keys.toml clipline keys add ops --role operator
    """
    path = file or (Path(from_env(os.environ).keys_file) if from_env(os.environ).keys_file else None)
    if path is None:
        raise Mistake("which file? Give --file, or set CLIPLINE_KEYS_FILE")
    try:
        key = add_key(path, tenant=tenant, role=role)
    except msgspec.ValidationError as error:
        raise Mistake(f"tenant {tenant!r}: {str(error).partition(' - at')[0]}") from error
    except OSError as error:
        raise Mistake(f"{path}: {error.strerror}") from error
    typer.echo(key)
    err.print(f"Only its hash is in {path}: keep the key now. The API reads the file again by itself.")
