"""Simulated users look for a picture of the sample collection: by text alone, and with each way of relevance feedback.

A user has one picture in mind and types one of its tags (`tag`), or the name of its kind (`kind`, the subgroup): vague
on purpose. Of each page of 24 the first three pictures of the target's own kind are marked good, the first three of
another group bad; pages go on, without what was shown, until the target is there or ten pages were looked at. The
pictures are those of the sample collection, which the model never saw. Every strategy serves the same users with the
same words, through the embedded store. The constants in `workers/feedback.py` were chosen on 150 targets (`TUNING_*`)
that are none of these.

`*_rounds` is the mean number of pages, 11 where the target was not found; `*_found_share` the share of users who found
it; `*_gain_rounds` the mean of what a user needed less than with text alone, `*_gain_error` its standard error.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.report import Figures, Report, arguments, emit, progress
from demo.collection import PAYLOADS, build
from shared.settings import Settings
from workers import feedback
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder, Matrix
from workers.feedback import Vector, unit
from workers.ingest.decode import decode_reduced
from workers.ingest.thumbnails import NEEDED_PX
from workers.stores.protocol import Point, VectorQuery
from workers.stores.qdrant_edge import QdrantEdgeStore
from workers.tasks.vectors import led

MODEL = f"local-dir:{Path(__file__).parents[1] / 'demo' / 'model'}"
TUNING_SEED, TUNING_USERS = 0, 150
PAGE, MOST_ROUNDS, MARKS, BACKGROUND = 24, 10, 3, 512
STORED = "bench.feedback"

Aim = Callable[[Vector, Matrix, Matrix, Matrix], VectorQuery]


class World(msgspec.Struct, frozen=True):
    """The collection: a unit vector for each picture, (n, dim), its payload, and the texts' vectors."""

    pictures: Matrix
    payloads: list[dict[str, Any]]
    texts: dict[str, Vector]

    def kind(self, one: int) -> str:
        return str(self.payloads[one]["subgroup"])

    def group(self, one: int) -> str:
        return str(self.payloads[one]["group"])


class User(msgspec.Struct, frozen=True):
    target: int
    text: str


def nearest(vector: Vector) -> VectorQuery:
    return VectorQuery(vector=unit(vector).tobytes(), limit=PAGE, payload=False)


def _text(query: Vector, good: Matrix, bad: Matrix, background: Matrix) -> VectorQuery:
    return nearest(query)


def _rocchio(query: Vector, good: Matrix, bad: Matrix, background: Matrix) -> VectorQuery:
    return nearest(feedback.rocchio(query, good, bad))


def _recommend(query: Vector, good: Matrix, bad: Matrix, background: Matrix) -> VectorQuery:
    if not len(good):
        return _rocchio(query, good, bad, background)
    positive, negative = ([row.tobytes() for row in rows] for rows in (led(good, query), bad))
    return msgspec.structs.replace(nearest(query), positive=positive, negative=negative)


def _classifier(query: Vector, good: Matrix, bad: Matrix, background: Matrix) -> VectorQuery:
    if not len(good):
        return _rocchio(query, good, bad, background)
    return nearest(feedback.classifier(query, good, bad, background))


STRATEGIES: dict[str, Aim] = {
    "text": _text, "rocchio": _rocchio, "recommend": _recommend, "classifier": _classifier
}  # fmt: skip


def world_of(folder: Path) -> World:
    progress("drawing and encoding the sample collection")
    payloads: dict[str, dict[str, Any]] = json.loads((build(folder) / PAYLOADS).read_text("utf-8"))
    encoder = load_encoder(Settings(model=MODEL, device="cpu", precision="fp32"))
    names = sorted(payloads)
    words = {word for one in payloads.values() for word in (*one["tags"], spoken(one["subgroup"]))}
    return World(
        np.concatenate([_encoded(folder, names[at : at + 64], encoder) for at in range(0, len(names), 64)]),
        [payloads[name] for name in names],
        dict(_texts(sorted(words), encoder)),
    )


def _encoded(folder: Path, names: list[str], encoder: Encoder) -> Matrix:
    """As ingest does it."""
    limits = {"max_pixels": 10**8, "max_bytes": 10**8, "needed_px": NEEDED_PX}
    pixels = [encoder.preprocess(decode_reduced(folder / name, **limits).pixels) for name in names]
    return encoder.encode_images(pixels)


def _texts(words: list[str], encoder: Encoder) -> list[tuple[str, Vector]]:
    rows = [
        encoder.encode_texts([encoder.tokenize(word)[0] for word in words[at : at + 64]])
        for at in range(0, len(words), 64)
    ]
    return list(zip(words, np.concatenate(rows), strict=True))


def spoken(kind: str) -> str:
    return kind.replace("-", " ")


def users_of(world: World, *, count: int, seed: int, kind: bool) -> list[User]:
    """None of them was there when the constants were chosen."""
    known = np.random.default_rng(TUNING_SEED)
    known.choice(len(world.pictures), BACKGROUND, replace=False)
    tuned = set(known.choice(len(world.pictures), TUNING_USERS, replace=False).tolist())
    draw = np.random.default_rng(seed)
    others = [one for one in range(len(world.pictures)) if one not in tuned]
    targets = draw.choice(others, min(count, len(others)), replace=False).tolist()
    users = []
    for target in targets:
        tags = world.payloads[target]["tags"]
        named = kind or not tags
        text = spoken(world.kind(target)) if named else tags[draw.integers(len(tags))]
        users.append(User(target, text))
    return users


async def look(user: User, aim: Aim, world: World, background: Matrix, store: QdrantEdgeStore) -> int:
    """The page on which the target was; one more than there are when it was on none."""
    seen: list[int] = []
    good: list[int] = []
    bad: list[int] = []
    for page in range(1, MOST_ROUNDS + 1):
        query = aim(world.texts[user.text], world.pictures[good], world.pictures[bad], background)
        [answer] = await store.search(STORED, [msgspec.structs.replace(query, exclude_ids=sorted(seen))])
        shown = [hit.id for hit in answer.hits]
        if user.target in shown:
            return page
        seen += shown
        good += [one for one in shown if world.kind(one) == world.kind(user.target)][:MARKS]
        bad += [one for one in shown if world.group(one) != world.group(user.target)][:MARKS]
    return MOST_ROUNDS + 1


async def serve(world: World, store: QdrantEdgeStore, *, users: int, seed: int) -> dict[str, dict[str, float]]:
    await store.create(STORED, dim=world.pictures.shape[1], indexes={}, meta={})
    points = [Point(id=number, vector=row.tobytes(), payload={}) for number, row in enumerate(world.pictures)]
    await store.upsert(STORED, points)
    draw = np.random.default_rng(seed)
    background = world.pictures[draw.choice(len(world.pictures), BACKGROUND, replace=False)]
    figures: dict[str, dict[str, float]] = {name: {} for name in STRATEGIES}
    for words in ("tag", "kind"):
        crowd = users_of(world, count=users, seed=seed, kind=words == "kind")
        rounds = {}
        for name, aim in STRATEGIES.items():
            progress(f"{name}: {len(crowd)} users who typed a {words}")
            rounds[name] = np.array([await look(user, aim, world, background, store) for user in crowd])
            figures[name] |= summary(words, rounds[name], rounds["text"])
    return figures


def summary(words: str, rounds: Matrix, alone: Matrix) -> Figures:
    gain = (alone - rounds).astype(float)
    return {
        f"{words}_rounds": round(float(rounds.mean()), 3),
        f"{words}_found_share": round(float((rounds <= MOST_ROUNDS).mean()), 3),
        f"{words}_gain_rounds": round(float(gain.mean()), 3),
        f"{words}_gain_error": round(float(gain.std(ddof=1) / np.sqrt(len(gain))), 3),
    }


async def run(*, users: int, seed: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        world = world_of(Path(folder) / "pictures")
        store = QdrantEdgeStore(Settings(data_dir=folder))
        await store.start()
        try:
            return await serve(world, store, users=users, seed=seed)
        finally:
            await store.close()


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=600, help="simulated users for each way to put it in words")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = asyncio.run(run(users=options.users, seed=options.seed))
    emit(Report(figures=figures), as_json=options.json)


if __name__ == "__main__":
    main()
