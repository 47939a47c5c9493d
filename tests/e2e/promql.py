"""What a PromQL expression asks for, and whether a running API and worker have it."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families

COUNTED = {"rate", "increase", "irate"}
# Prometheus itself adds these to every series that it scrapes.
ADDED = {"job", "instance"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "info": ("_info",)}


class Series(msgspec.Struct):
    """One name: its type, and the labels that its samples have; None while there are no samples."""

    type: str
    labels: set[str] | None = None


def series_in(texts: Mapping[str, str]) -> dict[str, Series]:
    """All names that may be asked for, from what each job shows."""
    found = {"up": Series("gauge", set())}
    for text in texts.values():
        for family in text_string_to_metric_families(text):
            for suffix in SUFFIXES[family.type]:
                found.setdefault(family.name + suffix, Series(family.type))
            for sample in family.samples:
                series = found[sample.name]
                series.labels = (series.labels or set()) | set(sample.labels)
    return found


def parsed(expr: str) -> Any:
    """Raises ValueError for what Prometheus would not take; Grafana's variable stands for some minutes."""
    return promql.parse(expr.replace("$__rate_interval", "5m"))


def children(node: Any) -> Iterator[Any]:
    for name in ("lhs", "rhs", "expr"):
        if hasattr(node, name):
            yield getattr(node, name)
    yield from getattr(node, "args", ())


def selectors(node: Any, inside: str = "") -> Iterator[tuple[Any, str]]:
    """Every selector, with the function that it is handed to."""
    if isinstance(node, promql.VectorSelector):
        yield node, ""
    elif isinstance(node, promql.MatrixSelector):
        yield node.vector_selector, inside
    else:
        function = node.func.name if isinstance(node, promql.Call) else ""
        for child in children(node):
            yield from selectors(child, function)


def labels_by(node: Any) -> Iterator[tuple[str, set[str]]]:
    """Labels that an aggregation keeps, each with the names that it must come from."""
    if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
        names = {selector.name for selector, _ in selectors(node.expr)}
        for label in node.modifier.labels:
            yield label, names
    for child in children(node):
        yield from labels_by(child)


def quantiles(node: Any) -> Iterator[Any]:
    if isinstance(node, promql.Call) and node.func.name == "histogram_quantile":
        yield node.args[1]
    for child in children(node):
        yield from quantiles(child)


def faults(expr: str, known: Mapping[str, Series]) -> list[str]:
    """What is wrong with an expression."""
    tree = parsed(expr)
    found = [fault for selector, function in selectors(tree) for fault in _faults_of(selector, function, known)]
    for label, names in labels_by(tree):
        found += [f"{name} has no label {label}" for name in names if not _has(known.get(name), label)]
    for inner in quantiles(tree):
        names = {selector.name for selector, _ in selectors(inner)}
        kept = {label for label, _ in labels_by(inner)}
        if "le" not in kept or not all(name.endswith("_bucket") for name in names):
            found.append(f"a quantile needs buckets by le: {names}")
    return found


def _faults_of(selector: Any, function: str, known: Mapping[str, Series]) -> Iterator[str]:
    series = known.get(selector.name)
    if series is None:
        yield f"there is no {selector.name}"
        return
    if (series.type == "gauge") == (function in COUNTED):
        yield f"{selector.name} is a {series.type}, and {function or 'nothing'} is applied to it"
    for matcher in selector.matchers.matchers:
        if not _has(series, matcher.name):
            yield f"{selector.name} has no label {matcher.name}"


def _has(series: Series | None, label: str) -> bool:
    return series is not None and (label in ADDED or series.labels is None or label in series.labels)
