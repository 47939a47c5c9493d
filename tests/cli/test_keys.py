import stat
from pathlib import Path

from shared.tenants import Identity, Keyring
from tests.e2e.running import clipline


def test_a_key_is_printed_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    made = clipline("keys", "add", "studio", "--role", "viewer", "--file", str(file))
    key = made.stdout.strip()
    assert made.returncode == 0
    assert key not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Keyring(file).identify(key) == Identity("studio", "viewer")


def test_the_file_may_come_from_the_environment_but_must_be_named(tmp_path: Path) -> None:
    environ = {"CLIPLINE_KEYS_FILE": str(tmp_path / "keys.toml")}
    assert clipline("keys", "add", "ops", "--role", "operator", environ=environ).returncode == 0
    assert clipline("keys", "add", "ops").returncode == 2
    assert clipline("keys", "add", "No Tenant", "--file", str(tmp_path / "k")).returncode == 2
