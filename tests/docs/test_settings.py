"""Every setting is documented, and nothing is documented that is no setting."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import FOREIGN, PREFIX, Settings, from_env

ROOT = Path(__file__).parents[2]
DEFAULTS = Settings()
NAMES = {PREFIX + name.upper() for name in Settings.__struct_fields__}
MENTIONED = re.compile(r"\bCLIPLINE_[A-Z][A-Z_]*[A-Z]\b(?!…)")
ROW = re.compile(r"^\| `(CLIPLINE_\w+)` \| (?:`([^`]*)`)? *\| (.+) \|$", re.MULTILINE)
PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def shown(name: str) -> str:
    value = getattr(DEFAULTS, name.removeprefix(PREFIX).lower())
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def test_the_readme_s_table_has_every_setting_with_its_default() -> None:
    rows = ROW.findall((ROOT / "README.md").read_text())
    assert {name: default for name, default, _ in rows} == {name: shown(name) for name in NAMES}
    assert all(meaning for _, _, meaning in rows)


def test_the_example_environment_has_every_setting_with_its_default() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    told = dict(line.removeprefix("#").split("=", 1) for line in lines if line.startswith(f"#{PREFIX}"))
    assert told == {name: shown(name) for name in NAMES}
    assert from_env(told) == DEFAULTS, "all of it uncommented changes nothing"


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_a_text_names_only_settings_that_exist(path: Path) -> None:
    known = NAMES | {PREFIX + name.upper() for name in FOREIGN}
    assert set(MENTIONED.findall(path.read_text())) - known <= {f"{PREFIX}TEST_QDRANT_URL"}


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.gpu.yml"])
def test_the_compose_file_sets_only_settings_that_exist(name: str) -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / name).read_text())
    for service in compose["services"].values():
        given = {key: value for key, value in service.get("environment", {}).items() if key.startswith(PREFIX)}
        from_env(given)


def test_the_compose_file_fits_together() -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "docker-compose.yml").read_text())
    services, volumes = compose["services"], set(compose["volumes"])
    for service in services.values():
        mounted = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert {name for name in mounted if not name.startswith(".")} <= volumes
        assert set(service.get("depends_on", {})) <= set(services)
        assert "healthcheck" in service
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert "media:/media" in services["api"]["volumes"], "uploads lie there until a worker has them"
    assert "media:/media" in services["worker"]["volumes"]


def test_the_dockerfiles_copy_only_what_exists() -> None:
    for dockerfile in (ROOT / "deploy").glob("*.Dockerfile"):
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile.read_text(), re.MULTILINE):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), f"{dockerfile.name}: {source}"


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_the_files_that_a_text_links_to_are_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_make_targets_that_texts_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in PROSE:
        assert set(re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(), re.MULTILINE)) <= targets
