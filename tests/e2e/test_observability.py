"""Alert rules and the dashboard ask for what a running API and worker really show; their files fit together."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from shared.settings import Settings
from tests.e2e.observed import Observed
from tests.e2e.promql import Series, faults, parsed, selectors, series_in
from tests.e2e.running import until
from tests.workers.ingest.jpegs import jpeg

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "clipline.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
DOCUMENT = (ROOT / "docs" / "observability.md").read_text()
WITHIN_S = 60.0


@pytest.fixture(scope="session")
def known(observed: Observed) -> dict[str, Series]:
    """Everything that both show after a little of all that they count has happened."""
    observed.call("PUT", "/v1/collections/figures", json={})
    observed.call("POST", "/v1/collections/figures/items", files=[("files", ("a.jpg", jpeg()))])
    search(observed, text="a red square")
    search(observed, item=17)
    observed.call("POST", "/v1/queues/interactive/pause")
    refused = [search(observed, wait_s=0, text="a") for _ in range(Observed.MAX_QUEUED + 1)][-1]
    observed.call("POST", "/v1/queues/interactive/resume")
    assert refused == 503
    spoil(observed.url)
    until(lambda: observed_all(observed.metrics()), WITHIN_S, lambda: observed.metrics()["clipline-worker"])
    return series_in(observed.metrics())


def search(observed: Observed, *, wait_s: int = 30, **query: Any) -> int:
    body = {"collection": "figures", "query": query}
    return observed.call("POST", f"/v1/search?wait={wait_s}" if wait_s else "/v1/search", json=body).status_code


def spoil(url: str) -> None:
    """Say what is no JSON, until the server closes."""
    with connect(url.replace("http", "ws") + "/v1/ws", proxy=None) as socket:
        socket.send("{")
        with pytest.raises(ConnectionClosed):
            read_on(socket)


def read_on(socket: ClientConnection) -> None:
    while True:
        socket.recv(WITHIN_S)


def observed_all(texts: dict[str, str]) -> bool:
    """A worker counts a batch after it has handed the vectors back, and pictures when their job runs."""
    counted = ("clipline_batch_wait_seconds_count", "clipline_pictures_prepared_total{")
    return all(name in texts["clipline-worker"] for name in counted)


def test_every_metric_of_ours_has_samples_or_a_reason(known: dict[str, Series]) -> None:
    silent = {name for name, series in known.items() if series.labels is None}
    # A CPU has no memory of its own.
    assert silent == {"clipline_device_memory_bytes"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is(rule: dict[str, Any], known: dict[str, Series]) -> None:
    assert faults(rule["expr"], known) == []


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_what_there_is(panel: dict[str, Any], known: dict[str, Series]) -> None:
    for target in panel["targets"]:
        assert faults(target["expr"], known) == []
        kept = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        names = {selector.name for selector, _ in selectors(parsed(target["expr"]))}
        for name in names:
            labels = known[name].labels
            assert kept <= {"instance", "job"} | (kept if labels is None else labels), target


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("sum(rate(clipline_nothing_total[5m]))", "there is no clipline_nothing_total"),
        ("clipline_refused_total > 1", "nothing is applied to it"),
        ("rate(clipline_workers[5m])", "rate is applied to it"),
        ("max by (tenant) (clipline_lane_depth)", "has no label tenant"),
        ('clipline_lane_depth{queue="bulk"}', "has no label queue"),
        ("histogram_quantile(0.9, sum by (kind) (rate(clipline_job_run_seconds_bucket[5m])))", "buckets by le"),
    ],
)
def test_a_wrong_expression_is_found(expr: str, fault: str, known: dict[str, Series]) -> None:
    assert fault in "; ".join(faults(expr, known))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_how_long_and_what_it_means(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert promql_parser.parse_duration(rule["for"]).total_seconds() > 0
    for text in rule["annotations"].values():
        assert text.count("{{") == text.count("}}")
    assert set(rule["annotations"]) == {"summary", "description"}
    assert f"`{rule['alert']}`" in DOCUMENT


def test_no_two_alerts_or_panels_share_a_name_or_a_place() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = [cell for panel in DASHBOARD["panels"] for cell in cells(panel["gridPos"])]
    assert len(set(taken)) == len(taken)
    assert all(panel["description"] for panel in PANELS)


def cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    assert place["x"] + place["w"] <= 24
    return (
        (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    )


def test_the_document_lists_exactly_the_metrics_that_there_are(known: dict[str, Series]) -> None:
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in known if name.startswith("clipline_")}
    assert set(re.findall(r"^\| `(clipline_\w+)`", DOCUMENT, re.MULTILINE)) == shown


def test_every_metric_of_ours_is_in_a_panel() -> None:
    asked = [selectors(parsed(target["expr"])) for panel in PANELS for target in panel["targets"]]
    shown = {re.sub("_(bucket|sum|count)$", "", selector.name) for found in asked for selector, _ in found}
    assert set(re.findall(r"^\| `(clipline_\w+)`", DOCUMENT, re.MULTILINE)) - shown == set()


def test_prometheus_scrapes_what_the_compose_file_opens() -> None:
    jobs = {
        job["job_name"]: job["dns_sd_configs"][0]
        for job in yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    }
    services = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())["services"]
    assert jobs["clipline-worker"]["names"] == ["worker"]
    listen = services["worker"]["environment"]["CLIPLINE_METRICS_LISTEN"]
    assert listen == f"0.0.0.0:{jobs['clipline-worker']['port']}"
    assert jobs["clipline-api"] == {"names": ["api"], "type": "A", "port": Settings().port}
    named = {job for rule in RULES for job in re.findall(r'job="([\w-]+)"', rule["expr"])}
    assert named <= set(jobs)


def test_what_the_compose_file_mounts_is_there() -> None:
    compose = yaml.safe_load((DEPLOY / "docker-compose.observability.yml").read_text())
    mounts = [volume.split(":") for service in compose["services"].values() for volume in service["volumes"]]
    assert all((DEPLOY / source).is_dir() for source, *_ in mounts if source.startswith("."))
    assert {source for source, *_ in mounts if not source.startswith(".")} == set(compose["volumes"])
    assert all("healthcheck" in service for service in compose["services"].values())
    for file in (DEPLOY / "grafana" / "provisioning").rglob("*.yml"):
        assert yaml.safe_load(file.read_text())["apiVersion"] == 1
    [provider] = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/clipline.yml").read_text())["providers"]
    assert provider["options"]["path"] in [target for _, target, *_ in mounts]


def test_each_process_names_itself(observed: Observed, known: dict[str, Series]) -> None:
    texts = observed.metrics()
    jobs: dict[str, Callable[[str], bool]] = {"clipline-api": lambda text: "clipline_websockets" in text}
    jobs["clipline-worker"] = lambda text: 'clipline_worker_info{device="cpu"' in text
    assert all(true(texts[job]) for job, true in jobs.items())
    assert "process_resident_memory_bytes" in texts["clipline-worker"]
