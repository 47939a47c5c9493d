"""The terms under which a job can be found: what it is, where it ran, how it failed, and the words of its query."""

import re

import msgspec

WORD = re.compile(r"\w+")
# Of one text; queries have about three.
MAX_WORDS = 16
MAX_WORD_CHARS = 32
# Ids are kept apart by their first characters, so that a prefix needs to look at few of them.
ID_CHARS = 2


def words_of(text: str) -> list[str]:
    """The text's words in the order of their first use, folded so that case does not matter."""
    found = dict.fromkeys(word[:MAX_WORD_CHARS] for word in WORD.findall(text.casefold()))
    return list(found)[:MAX_WORDS]


def of_kind(kind: str) -> str:
    return f"kind:{kind}"


def of_collection(name: str) -> str:
    return f"collection:{name}"


def of_worker(worker_id: str) -> str:
    return f"worker:{worker_id}"


def of_error(slug: str) -> str:
    return f"error:{slug}"


def of_word(word: str) -> str:
    return f"word:{word}"


def of_id(job_id: str) -> str:
    return f"id:{job_id[:ID_CHARS].lower()}"


def of_record(fields: dict[str, bytes]) -> list[str]:
    """All terms of a job's record as it is now; `error` is the problem that it ended with."""
    terms = [of_id(fields["id"].decode()), of_kind(fields["kind"].decode())]
    if collection := fields.get("collection"):
        terms.append(of_collection(collection.decode()))
    if worker := fields.get("worker"):
        terms.append(of_worker(worker.decode()))
    if slug := error_slug(fields.get("error")):
        terms.append(of_error(slug))
    return terms + [of_word(word) for word in words_of(fields.get("text", b"").decode())]


class _Typed(msgspec.Struct):
    """The part of a problem that names it."""

    type: str


def error_slug(problem: bytes | None) -> str | None:
    """What kind of problem a record holds."""
    return msgspec.msgpack.decode(problem, type=_Typed).type if problem else None
