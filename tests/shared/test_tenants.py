"""Keys, tenants and roles."""

import os
import stat
from pathlib import Path

import pytest

from shared.settings import SettingsError
from shared.tenants import ANYONE, Identity, Keyring, Role, add, digest, read

ROLES: list[Role] = ["user", "viewer", "operator"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


@pytest.mark.parametrize("role", ROLES)
def test_a_key_names_its_tenant_and_role(path: Path, role: Role) -> None:
    key = add(path, tenant="acme", role=role)
    assert Keyring(path).identify(key) == Identity("acme", role)


@pytest.mark.parametrize(
    ("role", "may_write", "may_operate"), [("user", True, False), ("viewer", False, True), ("operator", True, True)]
)
def test_roles_allow_what_they_say(role: Role, may_write: bool, may_operate: bool) -> None:
    identity = Identity("acme", role)
    assert (identity.may_write, identity.may_operate) == (may_write, may_operate)


def test_no_file_means_that_everybody_may_call() -> None:
    keyring = Keyring(None)
    assert keyring.open
    assert (ANYONE.tenant, ANYONE.may_write, ANYONE.may_operate) == ("default", True, True)


def test_an_unknown_key_is_nobody(path: Path) -> None:
    key = add(path, tenant="acme", role="user")
    keyring = Keyring(path)
    assert not keyring.open
    for wrong in (
        "",
        key[:-1],
        key + "x",
        key.upper(),
        digest(key),
        "clk_ÿ",
        "\udcff".encode(errors="replace").decode(),
    ):
        assert keyring.identify(wrong) is None


def test_the_file_holds_hashes_and_is_its_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        key = add(path, tenant="acme", role="user")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key not in path.read_text()
    assert digest(key) in path.read_text()


def test_keys_are_long_and_differ(path: Path) -> None:
    made = {add(path, tenant="acme", role="user") for _ in range(20)}
    assert len(made) == 20
    assert min(map(len, made)) >= 43
    assert len(read(path)) == 20


def test_a_change_of_the_file_is_seen_without_a_restart(path: Path) -> None:
    first = add(path, tenant="acme", role="user")
    keyring = Keyring(path)
    second = add(path, tenant="other", role="viewer")
    assert keyring.identify(second) == Identity("other", "viewer")
    assert keyring.identify(first) is not None
    path.write_text(f'[[keys]]\ntenant = "acme"\nrole = "operator"\nhash = "{digest(first)}"\n')
    assert keyring.identify(second) is None
    assert keyring.identify(first) == Identity("acme", "operator")


def test_a_file_that_broke_is_told_and_works_again_when_mended(path: Path) -> None:
    key = add(path, tenant="acme", role="user")
    good = path.read_text()
    keyring = Keyring(path)
    path.write_text("[[keys]\n")
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"keys\.toml"):
            keyring.identify(key)
    path.unlink()
    with pytest.raises(SettingsError, match="CLIPLINE_KEYS_FILE"):
        keyring.identify(key)
    path.write_text(good)
    assert keyring.identify(key) is not None


HASH = digest("k")


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense",
        b"\xff\xfe",
        b'[[keys]]\ntenant = "a"\n',
        f'[[keys]]\ntenant = "a"\nrole = "root"\nhash = "{HASH}"\n'.encode(),
        f'[[keys]]\ntenant = "A B"\nrole = "user"\nhash = "{HASH}"\n'.encode(),
        f'[[keys]]\ntenant = "a\\n"\nrole = "user"\nhash = "{HASH}"\n'.encode(),
        f'[[keys]]\ntenant = "a"\nrole = "user"\nhash = "{HASH}"\nkey = "clk_x"\n'.encode(),
        '[[keys]]\ntenant = "a"\nrole = "user"\nhash = "sha256:ÿ"\n'.encode(),
        b'[[keys]]\ntenant = "a"\nrole = "user"\nhash = "clk_plain"\n',
        f'[[key]]\ntenant = "a"\nrole = "user"\nhash = "{HASH}"\n'.encode(),
    ],
)
def test_what_is_no_keys_file_stops_the_process_with_its_name(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    with pytest.raises(SettingsError, match=r"keys\.toml"):
        Keyring(path)


def test_a_keys_file_that_is_not_there_stops_the_process(path: Path) -> None:
    with pytest.raises(SettingsError, match="CLIPLINE_KEYS_FILE"):
        Keyring(path)


def test_a_tenant_that_is_no_name_gets_no_key(path: Path) -> None:
    for tenant in ("", "A", "a/b", 'a"', "a\n", "a.b"):
        with pytest.raises(ValueError, match="Expected"):
            add(path, tenant=tenant, role="user")
    assert not path.exists()


def test_an_empty_file_knows_nobody(path: Path) -> None:
    path.touch()
    assert Keyring(path).identify("clk_x") is None
