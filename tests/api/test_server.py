import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import pytest

from api.hosts import host_of, is_local_name, is_loopback
from api.server import check
from shared.settings import Settings, SettingsError, to_env
from tests.api.conftest import Client
from tests.api.serving import Api
from tests.api.test_search import problem


def run(settings: Settings) -> "subprocess.Popen[str]":
    env = {**os.environ, **to_env(settings)}
    return subprocess.Popen([sys.executable, "-m", "api"], env=env, stderr=subprocess.PIPE, text=True)


def test_the_api_starts_without_a_model_a_store_or_pixels() -> None:
    heavy = {"torch", "torchvision", "open_clip", "qdrant_client", "qdrant_edge", "PIL", "numpy", "workers"}
    probe = f"import sys, api.server, api.__main__; print(sorted({heavy} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_nothing_is_imported_while_others_wait(settings: Settings) -> None:
    env = {**os.environ, **to_env(settings), "PYTHONPROFILEIMPORTTIME": "1"}
    process = subprocess.Popen([sys.executable, "-m", "api"], env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr as log:
        url = next(line.split()[-1] for line in log if "listening on" in line)
        _answer(url)
        with httpx.Client(base_url=url, timeout=30) as client:
            client.get("/v1/jobs").raise_for_status()
            client.get("/metrics").raise_for_status()
            client.get("/v1/collections").raise_for_status()
        process.send_signal(signal.SIGTERM)
        lines = log.read().splitlines()
    assert process.wait(30) == 0
    [first, last] = [
        next(at for at, line in enumerate(lines) if f"GET /v1/{name}" in line) for name in ("jobs", "coll")
    ]
    assert [line for line in lines[first:last] if line.startswith("import time")] == []


def test_without_keys_it_binds_to_loopback_alone(settings: Settings) -> None:
    process = run(msgspec.structs.replace(settings, host="0.0.0.0"))
    _, error = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "CLIPLINE_HOST" in error
    assert "clipline keys add" in error
    assert "Traceback" not in error


def test_with_keys_it_may_bind_to_anything(settings: Settings, keys_file: Path) -> None:
    check(msgspec.structs.replace(settings, host="0.0.0.0", keys_file=str(keys_file)))
    with pytest.raises(SettingsError, match="KEYS_FILE"):
        check(msgspec.structs.replace(settings, keys_file=str(keys_file) + ".lost"))


def test_a_port_that_is_taken_is_told(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = run(msgspec.structs.replace(settings, port=taken.getsockname()[1]))
        _, error = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "cannot listen on 127.0.0.1" in error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_port_0_picks_one_and_a_signal_ends_it_in_order(settings: Settings, number: signal.Signals) -> None:
    process = run(settings)
    assert process.stderr is not None
    with process.stderr as log:
        url = next(line.split()[-1] for line in log if "listening on" in line)
        assert _answer(url) == {"alive": True}
        process.send_signal(number)
        assert "Traceback" not in log.read()
    assert process.wait(30) == 0


def _answer(url: str) -> object:
    with httpx.Client(transport=httpx.HTTPTransport(retries=5), timeout=30) as client:
        return client.get(f"{url}/healthz").json()


@pytest.mark.parametrize(
    ("netloc", "local"),
    [
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("192.168.1.7", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("a.localhost:1", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("[", False),
        ("[::1", False),
    ],
)
def test_a_name_that_a_foreign_server_could_rebind_is_not_local(netloc: str, local: bool) -> None:
    assert is_local_name(host_of(netloc)) is local


def test_loopback_is_what_only_this_machine_reaches() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.8.0.1", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.0.1", "example.com", "")] == [False] * 5


@pytest.mark.anyio
async def test_a_rebound_name_is_refused(client: Client) -> None:
    for path in ("/", "/v1/jobs", "/healthz"):
        assert problem(await client.get(path, headers={"host": "evil.example"})) == (403, "forbidden", None)


@pytest.mark.anyio
async def test_a_page_of_another_origin_changes_nothing(client: Client, api: Api) -> None:
    assert problem(await client.post("/v1/sessions", headers={"origin": "http://evil.example"}))[0] == 403
    assert (await client.post("/v1/sessions", headers={"origin": api.url})).status_code == 201
    proxied = {"origin": "http://shown.example", "sec-fetch-site": "same-origin"}
    assert (await client.post("/v1/sessions", headers=proxied)).status_code == 201
