"""A misspelt or bad variable stops the process with its name."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import PREFIX, Settings, SettingsError, from_env, to_env
from tests.shared.examples import some

FIELDS = {field.name: field for field in msgspec.structs.fields(Settings)}
NUMBERS = sorted(name for name, field in FIELDS.items() if type(field.default) in (int, float))
CHOICES = [
    "precision",
    "log_level",
    "log_format",
    "operators_see",
    "read_only",
    "quantize",
    "scan_copies",
    "compile",
    "nvjpeg",
]


def variable(field: str) -> str:
    return PREFIX + field.upper()


def test_without_variables_the_defaults_hold() -> None:
    assert from_env({"PATH": "/bin", "HOME": "/"}) == Settings()


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("value", ["many", "", "-1", "nan", "inf", "1e400"])
def test_a_number_that_is_none_is_named(field: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable(field)}="):
        from_env({variable(field): value})


def test_a_choice_that_there_is_not_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match=r"^CLIPLINE_PRECISION='fp8': expected one of auto, fp32, bf16, fp16$"):
        from_env({"CLIPLINE_PRECISION": "fp8"})


ZERO_MEANS_SOMETHING = {
    "port",
    "tenant_rate",
    "keep_request_bytes",
    "cache_vectors",
    "max_jobs",
    "max_batch",
    "max_batch_tokens",
    "decoders",
    "threads",
    "video_step_s",
}


@pytest.mark.parametrize("field", sorted(set(NUMBERS) - ZERO_MEANS_SOMETHING))
def test_nothing_may_be_zero(field: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable(field)}='0'"):
        from_env({variable(field): "0"})


@pytest.mark.parametrize("field", CHOICES)
def test_an_unknown_choice_is_named(field: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable(field)}='sideways'"):
        from_env({variable(field): "sideways"})


@pytest.mark.parametrize("field", ["port", "max_wait_s", "max_limit", "max_text_chars"])
def test_more_than_the_most_is_named(field: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable(field)}="):
        from_env({variable(field): "70000"})


@some
@given(st.sampled_from(sorted(FIELDS)), st.integers(0, 40), st.sampled_from("XYZ_9"))
def test_a_misspelt_variable_is_named(field: str, at: int, letter: str) -> None:
    misspelt = f"{variable(field)[: len(PREFIX) + at]}{letter}{variable(field)[len(PREFIX) + at :]}"
    known = {variable(name) for name in FIELDS}
    if misspelt in known or misspelt.startswith(f"{PREFIX}TEST_"):
        return
    with pytest.raises(SettingsError, match=f"^unknown setting {misspelt}$"):
        from_env({misspelt: "1", variable(field): "1"})


@pytest.mark.parametrize("name", ["CLIPLINE_URL", "CLIPLINE_KEY", "CLIPLINE_TEST_QDRANT_URL"])
def test_variables_of_the_client_and_the_tests_are_no_settings(name: str) -> None:
    assert from_env({name: "x"}) == Settings()


BOUNDED: dict[str, st.SearchStrategy[Any]] = {
    "port": st.integers(0, 65535),
    "max_wait_s": st.floats(0.001, 30),
    "max_limit": st.integers(1, 1_000),
    "max_text_chars": st.integers(1, 1_000),
    "video_step_s": st.floats(0, 3_600),
    "models": st.sampled_from(["", "photo=ViT-L-14/laion2b_s32b_b82k", "a=local-dir:x/y,b=hf-hub:c/d"]),
    "worker_models": st.sampled_from(["", "default"]),
    "metrics_listen": st.sampled_from(["", "127.0.0.1:9464", "[::1]:0"]),
    "allowed_origins": st.sampled_from(["", "https://app.example.com", "http://localhost:5173,https://a.b"]),
}


def value_of(field: str) -> st.SearchStrategy[Any]:
    default = FIELDS[field].default
    if field in CHOICES:
        return st.just(default)
    if field == "tenant_weights":
        return st.from_regex(r"([a-z]{1,3}=[0-9]{1,2},){0,3}", fullmatch=True)
    if field in BOUNDED:
        return BOUNDED[field]
    if isinstance(default, float):
        return st.floats(0.001, 10**9)
    return st.integers(1, 2**31) if isinstance(default, int) else st.text(st.characters(codec="utf-8"), max_size=30)


@some
@given(st.fixed_dictionaries({}, optional={name: value_of(name) for name in FIELDS}))
def test_another_process_reads_the_same_settings(given: dict[str, Any]) -> None:
    settings = Settings(**given)
    assert from_env(to_env(settings)) == settings


def test_a_process_stops_with_the_variables_name() -> None:
    stopped = subprocess.run(
        [sys.executable, "-c", "import os; from shared.settings import from_env; from_env(os.environ)"],
        env={**os.environ, "CLIPLINE_MAX_JOSB": "4"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode != 0
    assert "unknown setting CLIPLINE_MAX_JOSB" in stopped.stderr


def test_the_media_folder_follows_the_data_folder() -> None:
    assert Settings(data_dir="/d").media_path == Path("/d/media")
    assert Settings(data_dir="/d", media_dir="/m").media_path == Path("/m")
    assert Settings(data_dir="/d").store_path == Path("/d/vectors")


def test_ingest_roots_are_separated_by_colons() -> None:
    assert Settings(ingest_roots="/a::/b/c").ingest_root_paths == (Path("/a"), Path("/b/c"))
    assert Settings().ingest_root_paths == ()


def test_models_have_names_and_a_worker_may_hold_some() -> None:
    given = {
        "CLIPLINE_MODELS": "photo=ViT-L-14/laion2b_s32b_b82k,demo=local-dir:demo/model,file=ViT-B-32//weights/b32.pt",
        "CLIPLINE_WORKER_MODELS": "demo,photo",
    }
    settings = from_env(given)
    assert settings.model_names == ("default", "photo", "demo", "file")
    assert settings.held_models == ("demo", "photo")
    photo, demo, file = (settings.of_model(name) for name in ("photo", "demo", "file"))
    assert (photo.model, photo.pretrained) == ("ViT-L-14", "laion2b_s32b_b82k")
    assert (demo.model, demo.pretrained) == ("local-dir:demo/model", "")
    assert (file.model, file.pretrained) == ("ViT-B-32", "/weights/b32.pt")
    assert settings.of_model("default") == settings
    assert Settings().held_models == Settings().model_names == ("default",)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("models", "photo", "matching regex"),
        ("models", "Photo=ViT-B-32/openai", "matching regex"),
        ("models", "photo=ViT-B-32/openai,", "matching regex"),
        ("models", "photo=ViT-B-32", "ARCHITECTURE/WEIGHTS"),
        ("models", "default=ViT-B-32/openai", "CLIPLINE_MODEL"),
        ("models", "a=ViT-B-32/openai,a=ViT-L-14/openai", "twice"),
        ("models", ",".join(f"m{n}=ViT-B-32/openai" for n in range(16)), "at most 16"),
        ("worker_models", "photo", "default"),
    ],
)
def test_a_model_that_cannot_be_is_named(field: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError, match=variable(field)) as wrong:
        from_env({variable(field): value})
    assert words in str(wrong.value)
