"""API keys: who calls, for which tenant, and what the role allows."""

import hashlib
import hmac
import secrets
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from shared.jobs import Name
from shared.settings import SettingsError

Role = Literal["user", "viewer", "operator"]
DEFAULT_TENANT = "default"


class Identity(msgspec.Struct, frozen=True):
    """The tenant that a key speaks for, and its role."""

    tenant: str
    role: Role

    @property
    def may_write(self) -> bool:
        return self.role != "viewer"

    @property
    def may_operate(self) -> bool:
        """Queues and workers are the operators' business; viewers may look, as on a wall display."""
        return self.role != "user"

    @property
    def may_control(self) -> bool:
        """Pause queues, drain workers, act on many jobs at once."""
        return self.role == "operator"


ANYONE = Identity(DEFAULT_TENANT, "operator")


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tenant: Name
    role: Role
    hash: Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}(?!\n)$")]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: list[Key] = msgspec.field(default_factory=list)


def digest(key: str) -> str:
    """SHA-256 is enough: keys are 256 random bits, there is nothing to guess."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


class Keyring:
    """The keys of one file, read again when the file changes; no file means one tenant and no keys."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, Identity] = {}
        self._refresh()

    @property
    def open(self) -> bool:
        """Whether everybody may call, because no keys are configured."""
        return self.path is None

    @property
    def tenants(self) -> frozenset[str]:
        """All that somebody can call for, as the file was when it was last read."""
        return frozenset({DEFAULT_TENANT} if self.open else {known.tenant for known in self._keys.values()})

    def identify(self, key: str) -> Identity | None:
        """The identity behind a key, or None for one that is not known."""
        self._refresh()
        wanted = digest(key)
        found = None
        for known, identity in self._keys.items():
            if hmac.compare_digest(known, wanted):
                found = identity
        return found

    def _refresh(self) -> None:
        if self.path is None:
            return
        try:
            status = self.path.stat()
        except OSError as error:
            raise SettingsError(f"CLIPLINE_KEYS_FILE={str(self.path)!r}: {error.strerror}") from error
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._keys = {key.hash: Identity(key.tenant, key.role) for key in read(self.path)}
            self._stamp = stamp


def read(path: Path) -> list[Key]:
    """Raises SettingsError, naming the file, when it is no keys file."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), _File).keys
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path}: {error}") from error


def add(path: Path, *, tenant: str, role: Role) -> str:
    """Make a key, append its hash to the file (created for its owner's eyes only) and return the key."""
    key = "clk_" + secrets.token_urlsafe(32)
    msgspec.convert({"tenant": tenant, "role": role, "hash": digest(key)}, Key)
    path.touch(mode=0o600, exist_ok=True)
    with path.open("a") as file:
        file.write(f'[[keys]]\ntenant = "{tenant}"\nrole = "{role}"\nhash = "{digest(key)}"\n\n')
    return key
