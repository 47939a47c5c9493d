"""Simulated users look for a video in which one thing follows another, among 100,000 shots; by each way to ask for it.

Videos are rows of 40 shots of four seconds, each showing a picture of the sample collection, seen anew (noise that
leaves a cosine of 0.9). Each of 1,652 pictures is in some sixty shots, so that no single shot tells a video. A user
knows the names of what two shots show, the second at most five shots after the first, and types them. Beside the right
video stand two that show the same, one in the other order, one with two minutes in between.

`one_text` asks for the first name by videos, `two_texts` for the sum of both; `client_join` asks for each, 1,000 hits,
and joins them by video and time as a client of any vector database would; `clipline` asks for one, then the other. All
ask the same running stack over HTTP, in turns, one user alone; texts were encoded once before.

`first_share` and `page_share`: of the users, those who had the right video first, or among twenty; `mrr`: the mean of
1 / its rank; `pair_share`: those who were shown the right two shots of it too. `p50_ms`, `p95_ms`: until the answer was
read, and joined.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

from bench.feedback import MODEL, world_of
from bench.report import Report, arguments, emit, percentile, progress
from bench.search import serving
from bench.temporal_data import SHOTS, WITHIN_S, Target, filmed, store
from shared.settings import Settings
from workers.encoders.load import load_encoder

PAGE, DEEP = 20, 1_000
ENVIRON = {"CLIPLINE_MODEL": MODEL, "CLIPLINE_LOG_LEVEL": "warning"}

# A video, and the places of its two shots where the way tells them; best first.
Found = list[tuple[str, tuple[int, int] | None]]
Ask = Callable[..., dict[str, Any]]
Way = Callable[[Ask, tuple[str, str]], Found]


def _grouped(ask: Ask, query: Mapping[str, Any]) -> Found:
    answer = ask(query=query, group_by="video", group_size=1, limit=PAGE)
    return [(str(group["group"]), None) for group in answer["groups"]]


def _one_text(ask: Ask, texts: tuple[str, str]) -> Found:
    return _grouped(ask, {"text": texts[0]})


def _two_texts(ask: Ask, texts: tuple[str, str]) -> Found:
    return _grouped(ask, {"texts": [{"text": text} for text in texts]})


def _clipline(ask: Ask, texts: tuple[str, str]) -> Found:
    then = [{"query": {"text": texts[1]}, "within_s": WITHIN_S}]
    groups = ask(query={"text": texts[0]}, then=then, limit=PAGE)["groups"]
    pairs = [[int(hit["payload"]["position"]) for hit in group["hits"]] for group in groups]
    return [(str(group["group"]), (one, other)) for group, (one, other) in zip(groups, pairs, strict=True)]


def _client_join(ask: Ask, texts: tuple[str, str]) -> Found:
    firsts, seconds = (ask(query={"text": text}, limit=DEEP)["hits"] for text in texts)
    later: dict[str, list[dict[str, Any]]] = {}
    for hit in seconds:
        later.setdefault(hit["payload"]["video"], []).append(hit)
    best: dict[str, tuple[float, tuple[int, int]]] = {}
    for one in firsts:
        video = one["payload"]["video"]
        for other in later.get(video, []):
            total = one["score"] + other["score"]
            gap_s = other["payload"]["start_s"] - one["payload"]["end_s"]
            if 0 <= gap_s <= WITHIN_S and (video not in best or total > best[video][0]):
                best[video] = (total, (one["payload"]["position"], other["payload"]["position"]))
    ordered = sorted(best.items(), key=lambda row: -row[1][0])[:PAGE]
    return [(video, pair) for video, (_, pair) in ordered]


WAYS: dict[str, Way] = {
    "one_text": _one_text, "two_texts": _two_texts, "client_join": _client_join, "clipline": _clipline
}  # fmt: skip


def _ask(client: httpx.Client, **search: Any) -> dict[str, Any]:
    answer = client.post("/v1/search", params={"wait": "30"}, json={"collection": "bench", **search})
    found: dict[str, Any] = answer.raise_for_status().json()["result"]
    return found


def look(url: str, targets: list[Target], *, rounds: int) -> dict[str, dict[str, float]]:
    """Every way serves each user in turn; times are of all rounds, what was found of the last one."""
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    found: dict[str, list[Found]] = {name: [] for name in WAYS}
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        ask = partial(_ask, client)
        # Once before: texts are encoded, and the store has learned what its plans cost.
        for number in range(1 + rounds):
            progress(f"round {number} of {rounds}" if number else "warming up")
            taken = taken if number > 1 else {name: [] for name in WAYS}
            found = {name: [] for name in WAYS}
            for target in targets:
                for name, way in WAYS.items():
                    began = perf_counter()
                    found[name].append(way(ask, target.texts))
                    taken[name].append(1_000 * (perf_counter() - began))
    return {name: figures(found[name], targets) | times(taken[name]) for name in WAYS}


def figures(found: list[Found], targets: list[Target]) -> dict[str, float]:
    rows = list(zip(found, targets, strict=True))
    ranks = [next((place for place, (video, _) in enumerate(one, 1) if video == aim.video), 0) for one, aim in rows]
    told = {
        "first_share": sum(rank == 1 for rank in ranks) / len(ranks),
        "page_share": sum(rank > 0 for rank in ranks) / len(ranks),
        "mrr": sum(1 / rank for rank in ranks if rank) / len(ranks),
    }
    if any(pair for one in found for _, pair in one):
        told["pair_share"] = sum((aim.video, aim.pair) in one for one, aim in rows) / len(rows)
    return {name: round(value, 3) for name, value in told.items()}


def times(taken_ms: list[float]) -> dict[str, float]:
    return {name: round(percentile(taken_ms, share), 2) for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95))}


def run(*, videos: int, users: int, rounds: int, seed: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory(prefix="clipline-bench-temporal-") as folder:
        world = world_of(Path(folder) / "pictures")
        shown, targets = filmed(world, videos=videos, targets=users, seed=seed)
        model = load_encoder(Settings(model=MODEL, device="cpu", precision="fp32")).info.fingerprint
        progress(f"storing {shown.size:,} shots")
        asyncio.run(store(Path(folder) / "filled", world, shown, model=model, seed=seed))
        with serving("clipline", Path(folder) / "filled", environ={**os.environ, **ENVIRON}) as served:
            return look(served.url, targets, rounds=rounds)


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", type=int, default=2_500, help=f"of {SHOTS} shots each; three or more for each user")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = run(videos=options.videos, users=options.users, rounds=options.rounds, seed=options.seed)
    emit(Report(figures=found), as_json=options.json)


if __name__ == "__main__":
    main()
