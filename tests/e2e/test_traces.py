"""One search, several processes, one tree of spans."""

import json
import re

from websockets.sync.client import connect

from tests.collector import Received
from tests.e2e.observed import Observed
from tests.e2e.running import until

WITHIN_S = 60.0
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
# Each span of a search, and the one that it is part of.
PARENTS = {
    "POST /v1/search": "the caller's",
    "enqueue search": "POST /v1/search",
    "wait in the queue": "enqueue search",
    "run search": "enqueue search",
    "wait for the batch": "run search",
    "encode": "run search",
    "store search": "run search",
    "finish": "run search",
}


def asked(trace: str) -> dict[str, object]:
    """A text of this trace alone: the vector of one that was asked before is there already."""
    return {"collection": "shapes", "query": {"text": f"a red square, {trace}"}}


def search(observed: Observed, trace: str = TRACE, **headers: str) -> dict[str, Received]:
    """The spans of one search, by name, when all have come."""
    observed.call("PUT", "/v1/collections/shapes", json={})
    given = {"traceparent": f"00-{trace}-{CALLER}-01", **headers}
    answer = observed.call("POST", "/v1/search?wait=30", json=asked(trace), headers=given)
    assert answer.json()["state"] == "succeeded", answer.text
    assert answer.json()["trace"] == answer.headers["x-request-id"] == trace
    collector = observed.collector
    until(lambda: {span.name for span in collector.of(trace)} >= PARENTS.keys(), WITHIN_S, lambda: collector.of(trace))
    return {span.name: span for span in collector.of(trace)}


def test_a_search_is_one_tree_from_the_caller_to_the_store(observed: Observed) -> None:
    spans = search(observed)

    names = {span.id: span.name for span in spans.values()} | {CALLER: "the caller's"}
    assert {name: names.get(span.parent) for name, span in spans.items()} == PARENTS
    services = {name: span.service for name, span in spans.items()}
    assert services["POST /v1/search"] == services["enqueue search"] == "clipline-api"
    assert {services[name] for name in PARENTS if name not in ("POST /v1/search", "enqueue search")} == {
        "clipline-worker"
    }
    assert not any(span.failed for span in spans.values())
    assert all(span.began_ns <= span.ended_ns for span in spans.values())


def test_spans_tell_the_job_and_no_words_of_the_query(observed: Observed) -> None:
    spans = search(observed, trace="a" * 32)
    request, run, encode = (spans[name].attributes for name in ("POST /v1/search", "run search", "encode"))

    assert (request["http.route"], request["http.response.status_code"]) == ("/v1/search", 200)
    assert spans["enqueue search"].attributes["clipline.job.id"] == run["clipline.job.id"]
    assert (run["clipline.tenant"], run["clipline.attempt"]) == ("default", 1)
    assert encode["clipline.batch.items"] == 1
    assert "red square" not in str(spans)


def test_a_request_without_a_caller_s_trace_begins_one_that_its_id_names(observed: Observed) -> None:
    answer = observed.call("GET", "/v1/collections")
    trace = answer.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", trace)
    until(lambda: bool(observed.collector.of(trace)), WITHIN_S)
    [span] = observed.collector.of(trace)
    assert (span.name, span.parent) == ("GET /v1/collections", "")


def test_a_caller_s_own_request_id_stays_beside_its_trace(observed: Observed) -> None:
    answer = observed.call(
        "GET", "/v1/jobs", headers={"x-request-id": "my-request-1", "traceparent": f"00-{'b' * 32}-{CALLER}-01"}
    )
    assert answer.headers["x-request-id"] == "my-request-1"
    until(lambda: bool(observed.collector.of("b" * 32)), WITHIN_S)


def test_a_refused_request_is_no_failed_span_and_probes_are_none(observed: Observed) -> None:
    observed.call("GET", "/healthz", headers={"traceparent": f"00-{'c' * 32}-{CALLER}-01"})
    observed.call("GET", "/v1/jobs/none", headers={"traceparent": f"00-{'d' * 32}-{CALLER}-01"})
    until(lambda: bool(observed.collector.of("d" * 32)), WITHIN_S)

    [span] = observed.collector.of("d" * 32)
    assert (span.name, span.failed) == ("GET /v1/jobs/{job_id}", False)
    assert not observed.collector.of("c" * 32)


def test_a_search_over_a_websocket_belongs_to_its_frame_s_trace(observed: Observed) -> None:
    observed.call("PUT", "/v1/collections/shapes", json={})
    trace = "e" * 32
    frame = {"op": "search", "id": "c1", "search": asked(trace), "traceparent": f"00-{trace}-{CALLER}-01"}
    with connect(observed.url.replace("http", "ws") + "/v1/ws", proxy=None) as socket:
        socket.send(json.dumps(frame))
        while json.loads(socket.recv(WITHIN_S))["op"] != "result":
            pass
    wanted = PARENTS.keys() - {"POST /v1/search"}
    until(lambda: {span.name for span in observed.collector.of(trace)} == wanted, WITHIN_S)
    spans = {span.name: span for span in observed.collector.of(trace)}
    assert spans["enqueue search"].parent == CALLER
    assert spans["run search"].parent == spans["enqueue search"].id
