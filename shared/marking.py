"""Reads and changes what sessions hold; each change is one script."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from arq.connections import ArqRedis

from shared import history, keys, packed_sets, scripts
from shared.archive import Archive, ArchivedSets
from shared.connection import redis_errors
from shared.errors import NothingToUndo, SessionFull, SessionNotFound
from shared.history import SessionHistory
from shared.marks import SET_NAMES, Counts, GroupMark, Mark, Marked, Marks, SessionView, SetName, Sets
from shared.packed_sets import LETTERS, Fields, pack_groups, pack_ids
from shared.pipe import Pipe, Script
from shared.session_list import collections_in
from shared.settings import Settings

# So many ids change in one script, so that nobody else waits for Redis for more than a few milliseconds.
STEP = 1_000
ALL = b"*"


class Marking:
    """A change is answered when it is durable in Redis; a repeated call changes nothing twice."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        pipe = Pipe(redis)
        self._pipe = pipe
        self._scripts = {
            name: Script(pipe, scripts.source(name, settings))
            for name in ("mark", "undo", "read_session", "read_history")
        }

    async def mark(self, tenant: str, session: str, marks: Marks) -> Marked:
        """Raises SessionNotFound, SessionFull, QueueAway. More than STEP ids are several changes, undone as one."""
        answer: list[int] = []
        forgotten, changed = 0, False
        try:
            for part in _parts(marks):
                more = True
                while more:
                    goes_on = "1" if changed else "0"
                    answer = await self._change("mark", tenant, session, marks.collection, goes_on, *part)
                    forgotten, changed, more = forgotten + answer[6], changed or bool(answer[9]), bool(answer[10])
        except SessionFull:
            if changed:
                await self.undo(tenant, session, marks.collection)
            raise
        return _marked(session, marks.collection, answer, forgotten=forgotten)

    async def undo(self, tenant: str, session: str, collection: str, *, key: str | None = None) -> Marked:
        """Take back the newest change that this session, or this member of a team, made. Raises NothingToUndo.

        A call that is repeated with the `key` of the last one changes nothing.
        """
        return await self._step("undo", tenant, session, collection, key)

    async def redo(self, tenant: str, session: str, collection: str, *, key: str | None = None) -> Marked:
        """Do again what was taken back last. Raises NothingToUndo."""
        return await self._step("redo", tenant, session, collection, key)

    async def history(self, tenant: str, session: str, *, limit: int) -> SessionHistory:
        """Raises SessionNotFound."""
        with redis_errors():
            found = await self._scripts["read_history"](
                keys=[keys.session(tenant, session)], args=[tenant, session, limit]
            )
        if not found:
            raise SessionNotFound(f"no session {session!r}")
        rows, members = found
        names = names_of(packed_sets.fields_of(members))
        return SessionHistory(history=[history.read(row, names) for row in rows])

    async def archive(self, tenant: str, session: str) -> Archive:
        """Everything that the session holds. Raises SessionNotFound."""
        names = (await self.view(tenant, session, None)).collections
        views = [await self.view(tenant, session, name) for name in names]
        return Archive(collections=[ArchivedSets.of(view.sets) for view in views if view.sets is not None])

    async def view(self, tenant: str, session: str, collection: str | None) -> SessionView:
        """Raises SessionNotFound."""
        with redis_errors():
            found = await self._scripts["read_session"](
                keys=[keys.session(tenant, session)], args=[tenant, session, collection or ""]
            )
        if not found:
            raise SessionNotFound(f"no session {session!r}")
        about, own, flat, members = (packed_sets.fields_of(part) for part in found)
        return SessionView(
            session=session,
            created_at=own[b"created"].decode(),
            team=own[b"team"].decode() if b"team" in own else None,
            member=own[b"name"].decode() if b"name" in own else None,
            members=sorted(names_of(members).values()),
            collections=collections_in(about),
            sets=None if collection is None else _sets(collection, flat, names_of(members)),
        )

    async def _step(self, way: str, tenant: str, session: str, collection: str, key: str | None) -> Marked:
        key = key or uuid4().hex
        answer = await self._change("undo", tenant, session, collection, way, 0, key=key)
        part = 0
        # Of a large change the parts follow one by one.
        while answer[-1]:
            part += 1
            answer = await self._change("undo", tenant, session, collection, way, part, key=key)
        return _marked(session, collection, answer)

    async def _change(
        self, script: str, tenant: str, session: str, collection: str, *more: Any, key: str | None = None
    ) -> list[Any]:
        args = [tenant, session, collection, key or uuid4().hex, *more]
        with redis_errors():
            answer: list[Any] = await self._scripts[script](keys=[keys.session(tenant, session)], args=args)
        match answer:
            case [b"missing"]:
                raise SessionNotFound(f"no session {session!r}")
            case [b"nothing"]:
                raise NothingToUndo("there is no change to take back or to do again")
            case [b"full", which]:
                raise SessionFull(f"the session holds no more {which.decode()}", field=which.decode())
            case _:
                return answer


def names_of(members: Fields) -> dict[int, str]:
    """The members' names by their numbers."""
    return {int(number): name.decode() for name, number in members.items()}


def _marked(session: str, collection: str, answer: list[int], *, forgotten: int = 0) -> Marked:
    """The script's answer: the revision, the five sizes, what was forgotten, changes to take back and to do again …"""
    return Marked(
        session=session,
        collection=collection,
        revision=answer[0],
        counts=Counts(**dict(zip(SET_NAMES, answer[1:6], strict=True))),
        forgotten=forgotten,
        undo=answer[7],
        redo=answer[8],
    )


def _sets(collection: str, fields: Fields, names: dict[int, str]) -> Sets:
    def marks(name: SetName) -> list[Mark]:
        return [Mark(id=one, by=names.get(by)) for one, by in packed_sets.entries(fields, name)]

    return Sets(
        collection=collection,
        revision=packed_sets.number(fields, "rev"),
        counts=Counts(**{name: packed_sets.number(fields, f"n{LETTERS[name]}") for name in SET_NAMES}),
        seen=[one for one, _ in packed_sets.entries(fields, "seen")],
        exclude=marks("exclude"),
        positive=marks("positive"),
        negative=marks("negative"),
        exclude_groups=[GroupMark(group=group, by=names.get(by)) for group, by in packed_sets.groups(fields)],
    )


def _parts(marks: Marks) -> Iterator[list[Any]]:
    """Arguments of the script, in parts of about STEP ids; one at least, so that a change of nothing is answered too.

    Each set has three: its letter, what to add, what to remove. A clearing stands alone, as it may take several calls.
    """
    for name in marks.clear:
        yield [LETTERS[name], b"", ALL]
    part: list[Any] = []
    size = 0
    for letter, texts, ids in _slices(marks):
        if part and size + ids > STEP:
            yield part
            part, size = [], 0
        part += [letter, *texts]
        size += ids
    if part or not marks.clear:
        yield part


def _slices(marks: Marks) -> Iterator[tuple[str, tuple[bytes, bytes], int]]:
    # What may be refused comes first.
    for name in reversed(SET_NAMES):
        change = getattr(marks, name)
        if change is not None:
            pack = pack_groups if name == "exclude_groups" else pack_ids
            for start in range(0, max(len(change.add), len(change.remove)), STEP):
                added, removed = change.add[start : start + STEP], change.remove[start : start + STEP]
                yield LETTERS[name], (pack(added), pack(removed)), len(added) + len(removed)
