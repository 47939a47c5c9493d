"""Whatever a client may send: an answer of the contract, never a 5xx of our own making."""

import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks

from api import openapi
from shared.settings import Settings
from tests.api.serving import Api, serving
from tests.redis_server import RedisServer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["collection", "query", "text", "image", "item", "positive", "limit", "filter", "must", "key", "match", "seen"]
LIKE_A_SEARCH = st.recursive(
    JSON | st.sampled_from(["things", "a cat", "AAAA"]),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=12,
)
BOUNDED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.generate],
)
PLANNED = {404, 409, 413, 415, 422, 400, 200, 202, 201, 204, 503}

schema = schemathesis.openapi.from_dict(openapi.build())
schema.config.generation.update(max_examples=12, modes=[schemathesis.GenerationMode.POSITIVE])


@pytest.fixture(scope="module")
def fuzzed(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One API for all examples. No worker lives, so nothing that asks for one waits."""
    data = tmp_path_factory.mktemp("fuzzed")
    redis_server.flush()
    with serving(Settings(redis_url=redis_server.url, data_dir=str(data), port=0)) as api:
        yield api


@schema.include(method=["get", "post", "put", "delete"]).parametrize()
@settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_every_operation_keeps_its_promises(case: "schemathesis.Case[Any]", fuzzed: Api) -> None:
    if case.query:
        case.query.pop("wait", None)
    response = case.call(base_url=fuzzed.url)
    promised = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
    case.validate_response(response, checks=promised)
    assert response.status_code < 500 or response.status_code == 503


@BOUNDED
@given(body=LIKE_A_SEARCH)
def test_any_json_as_a_search_gets_an_answer_of_the_contract(fuzzed: Api, body: Any) -> None:
    response = httpx.post(
        f"{fuzzed.url}/v1/search", content=json.dumps(body), headers={"content-type": "application/json"}, timeout=30
    )
    assert response.status_code in {202, 400, 404, 422}


@BOUNDED
@given(body=st.binary(max_size=400))
def test_any_bytes_as_a_search_are_refused(fuzzed: Api, body: bytes) -> None:
    response = httpx.post(
        f"{fuzzed.url}/v1/search", content=body, headers={"content-type": "application/json"}, timeout=30
    )
    assert response.status_code in {400, 422}


@BOUNDED
@given(query=st.dictionaries(st.sampled_from(["state", "kind", "q", "before", "limit", "x"]), st.text(max_size=30)))
def test_any_question_to_the_ledger_is_answered(fuzzed: Api, query: dict[str, str]) -> None:
    assert httpx.get(f"{fuzzed.url}/v1/jobs", params=query, timeout=30).status_code in {200, 422}
