"""What was counted of lanes and workers, read for a span of time: series, histograms and what they say."""

from collections.abc import Sequence
from typing import cast

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.account import account_of
from shared.clock import iso, now_ms
from shared.connection import redis_errors
from shared.histogram import BOUNDS_MS, Quantiles, counts_of, quantile_ms, quantiles
from shared.jobs import LANES
from shared.steps import RESOLUTIONS, Resolution, Span, step_at

FLEET = "fleet"
RATE_S = 60

Fields = dict[str, int]


class LaneHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Lists have one number for each step, oldest first; `waits` one list of buckets for each step."""

    name: str
    in_per_s: float
    out_per_s: float
    wait: Quantiles
    run: Quantiles
    came: list[int]
    left: list[int]
    wrong: list[int]
    depth: list[int]
    running: list[int]
    oldest_age_ms: list[int]
    wait_p95_ms: list[float | None]
    waits: list[list[int]]


class ErrorHistory(msgspec.Struct, frozen=True):
    """Jobs that ended wrong with one type of problem."""

    type: str
    counts: list[int]


class FleetHistory(msgspec.Struct, frozen=True, kw_only=True):
    """`device_use` is the share of the time in which devices computed; null where nobody looked."""

    workers: list[int]
    memory_bytes: list[int]
    device_use: list[float | None]
    batch_mean: list[float | None]
    cache_hits: int
    cache_misses: int


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Steps of `step_s` from `starts_at` on; the last one is still filling. `lost`: gaps in what could be counted."""

    span: Span
    starts_at: str
    step_s: int
    bounds_ms: list[float]
    lanes: list[LaneHistory]
    errors: list[ErrorHistory]
    fleet: FleetHistory
    lost: int = 0


async def read(redis: ArqRedis, span: Span, *, lanes: Sequence[str] = LANES, at_ms: int | None = None) -> Statistics:
    """In two round trips, however much happened. Raises QueueAway."""
    at_ms = at_ms or now_ms()
    resolution = RESOLUTIONS[span]
    first = step_at(at_ms, resolution.step_s) - resolution.steps + 1
    account = await account_of(redis)
    rows = await _rows(redis, lanes, resolution, first, at_ms)
    steps = {lane: rows[n * resolution.steps : (n + 1) * resolution.steps] for n, lane in enumerate(lanes)}
    fleet = rows[len(lanes) * resolution.steps : (len(lanes) + 1) * resolution.steps]
    recent = rows[(len(lanes) + 1) * resolution.steps :]
    size = len(recent) // len(lanes)
    return Statistics(
        span=span,
        starts_at=iso(first * resolution.step_s * 1000) or "",
        step_s=resolution.step_s,
        bounds_ms=list(BOUNDS_MS),
        lanes=[_lane(lane, steps[lane], recent[n * size : (n + 1) * size]) for n, lane in enumerate(lanes)],
        errors=_errors([row for lane in lanes for row in steps[lane]], resolution.steps),
        fleet=_fleet(fleet),
        lost=account.lost,
    )


async def _rows(redis: ArqRedis, lanes: Sequence[str], resolution: Resolution, first: int, at_ms: int) -> list[Fields]:
    """The span's steps of each lane and of the fleet, then the fine steps of the last minute of each lane."""
    fine = RESOLUTIONS["15m"].step_s
    last = step_at(at_ms, fine)
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for what in (*lanes, FLEET):
                for step in range(first, first + resolution.steps):
                    pipe.hgetall(keys.counted(what, resolution.step_s, step))
            for lane in lanes:
                for step in range(last - RATE_S // fine, last):
                    pipe.hgetall(keys.counted(lane, fine, step))
            found = cast(list[dict[bytes, bytes]], await pipe.execute())
    return [{name.decode(): int(value) for name, value in row.items()} for row in found]


def _lane(lane: str, steps: list[Fields], recent: list[Fields]) -> LaneHistory:
    waits = [counts_of(step, "w:") for step in steps]
    runs = [counts_of(step, "r:") for step in steps]
    return LaneHistory(
        name=lane,
        in_per_s=_per_s(recent, "in"),
        out_per_s=_per_s(recent, "out"),
        wait=quantiles(_added(waits)),
        run=quantiles(_added(runs)),
        came=_column(steps, "in"),
        left=_column(steps, "out"),
        wrong=_column(steps, "wrong"),
        depth=_column(steps, "depth"),
        running=_column(steps, "running"),
        oldest_age_ms=_column(steps, "age_ms"),
        wait_p95_ms=[quantile_ms(counts, 0.95) for counts in waits],
        waits=waits,
    )


def _per_s(recent: list[Fields], name: str) -> float:
    return round(sum(_column(recent, name)) / RATE_S, 2)


def _column(steps: list[Fields], name: str) -> list[int]:
    return [step.get(name, 0) for step in steps]


def _added(histograms: list[list[int]]) -> list[int]:
    return [sum(bucket) for bucket in zip(*histograms, strict=True)]


def _errors(rows: list[Fields], steps: int) -> list[ErrorHistory]:
    """Those of all lanes together, the most frequent first."""
    names = {name for row in rows for name in row if name.startswith("e:")}
    counts = {name: [sum(row.get(name, 0) for row in rows[n::steps]) for n in range(steps)] for name in names}
    ordered = sorted(counts.items(), key=lambda one: (-sum(one[1]), one[0]))
    return [ErrorHistory(name.removeprefix("e:"), values) for name, values in ordered]


def _fleet(steps: list[Fields]) -> FleetHistory:
    return FleetHistory(
        workers=_column(steps, "workers"),
        memory_bytes=_column(steps, "memory"),
        device_use=[_ratio(step.get("busy_ms", 0), step.get("up_ms", 0), most=1.0) for step in steps],
        batch_mean=[_ratio(step.get("items", 0), step.get("batches", 0)) for step in steps],
        cache_hits=sum(_column(steps, "hits")),
        cache_misses=sum(_column(steps, "misses")),
    )


def _ratio(part: int, whole: int, *, most: float = float("inf")) -> float | None:
    return round(min(most, part / whole), 3) if whole else None
