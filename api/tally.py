"""What a batch of events adds to the counters of lanes and tenants, and to the index of the ledger."""

from collections import defaultdict
from typing import cast

import msgspec

from shared import keys, terms
from shared.histogram import bucket_of
from shared.jobs import FINAL, State
from shared.steps import DAYS_KEPT, RESOLUTIONS, day_of, step_at

# Ends that an operator counts as errors; the others were asked for.
WRONG: frozenset[State] = frozenset({"failed", "dead", "expired"})
# What a record is read for; the order is that of the answers.
FIELDS = (
    *("id", "tenant", "lane", "kind", "collection", "text", "worker", "error"),
    *("created", "due", "started", "finished", "attempts"),
)

Sums = dict[str, int]
Row = tuple[str, int, Sums]  # a key, for how many seconds it is kept, and what is added to its fields


class Happening(msgspec.Struct, frozen=True):
    """An event of the stream, and the job's record soon after it; no fields when that is gone."""

    job: str
    tenant: str
    state: State
    at_ms: int
    record: dict[str, bytes]


class Tally:
    """Collects; nothing is written here."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], Sums] = defaultdict(lambda: defaultdict(int))
        self.entries: dict[str, dict[str, int]] = defaultdict(dict)
        self.indexed: dict[str, dict[bytes, int]] = defaultdict(dict)

    @property
    def sums(self) -> list[Row]:
        return [(key, kept_s, dict(fields)) for (key, kept_s), fields in self._sums.items()]

    def add(self, one: Happening) -> None:
        if "lane" not in one.record or "created" not in one.record:
            return  # purged meanwhile: nobody can tell any more where it was
        counts = _counts(one)
        self.count(one.record["lane"].decode(), one.at_ms, counts)
        self._use(one, counts)
        created_ms, names = _number(one.record["created"]), terms.of_record(one.record)
        for name in names:
            self.entries[keys.term(one.tenant, name)][one.job] = created_ms
        self.indexed[one.tenant][msgspec.msgpack.encode([one.job, *names])] = created_ms

    def count(self, what: str, at_ms: int, counts: Sums) -> None:
        for resolution in RESOLUTIONS.values():
            step = step_at(at_ms, resolution.step_s)
            self._sum(keys.counted(what, resolution.step_s, step), resolution.kept_s, counts)

    def _use(self, one: Happening, counts: Sums) -> None:
        used = {name: counts[name] for name in ("in", "out", "wrong", "run_ms") if counts.get(name)}
        if used:
            self._sum(keys.used(one.tenant, day_of(one.at_ms)), DAYS_KEPT * 86_400, used)

    def _sum(self, key: str, kept_s: int, counts: Sums) -> None:
        fields = self._sums[key, kept_s]
        for name, count in counts.items():
            fields[name] += count


def _counts(one: Happening) -> Sums:
    if one.state == "queued":
        return {"in": 1} if _number(one.record["created"]) == one.at_ms else {"again": 1}
    if one.state not in FINAL:
        return {}
    counts = {"out": 1, f"s:{one.state}": 1}
    if one.state in WRONG:
        slug = terms.error_slug(one.record.get("error"))
        counts |= {"wrong": 1, f"e:{slug or one.state}": 1}
    return counts | _times(one)


def _times(one: Happening) -> Sums:
    """Of a run whose times the record still has: one that was queued again since has others."""
    record = one.record
    if "started" not in record or _number(record.get("finished", b"0")) != one.at_ms:
        return {}
    started_ms = _number(record["started"])
    run_ms = max(0, one.at_ms - started_ms)
    counts = {f"r:{bucket_of(run_ms)}": 1, "run_ms": run_ms}
    # A retry waits for its backoff: that is no waiting for a worker.
    if _number(record.get("attempts", b"0")) == 1:
        counts[f"w:{bucket_of(max(0, started_ms - _number(record.get('due', record['created']))))}"] = 1
    return counts


def _number(value: bytes) -> int:
    return int(float(value))


def state_of(value: bytes) -> State:
    return cast(State, value.decode())
