"""The folder of all collections that one process of the embedded store owns."""

import fcntl
import os
import shutil
from collections import OrderedDict
from pathlib import Path

from shared.errors import CollectionNotFound, StoreAway
from workers.stores import edge_folder
from workers.stores.checks import is_name
from workers.stores.edge_collection import Collection

# Each open shard maps its files and holds threads; the one used longest ago is closed beyond this.
MAX_OPEN = 64
# Points in the log alone: replaying them after a crash takes 0.25 s, flushing them 30 ms (5,000 × 512).
FLUSH_AFTER_POINTS = 5_000
LOCK = ".lock"


class Collections:
    """Opens collections when they are first used and keeps a bounded number open; `scan_copies` is for new ones."""

    def __init__(self, folder: Path, *, scan_copies: bool = True) -> None:
        self._folder = folder
        self._scan_copies = scan_copies
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder)
        self._open: OrderedDict[str, Collection] = OrderedDict()
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        """What a killed process had half made or half removed."""
        for path in self._folder.glob(".*"):
            if path.is_dir():
                shutil.rmtree(path)

    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir() if is_name(path.name))

    def get(self, name: str) -> Collection:
        """Raises CollectionNotFound."""
        found = self._open.get(name)
        if found is None:
            if name not in self:
                raise CollectionNotFound(f"no collection {name.partition('.')[2].partition('.')[0]!r}")
            self._make_room()
            found = self._open[name] = Collection(name, self._folder / name)
        self._open.move_to_end(name)
        return found

    def __contains__(self, name: str) -> bool:
        return is_name(name) and (self._folder / name).is_dir()

    def _make_room(self) -> None:
        idle = [name for name, one in self._open.items() if one.changed is None]
        for name in idle[: max(0, len(self._open) - MAX_OPEN + 1)]:
            self._open.pop(name).close()

    def create(self, name: str, *, dim: int, indexes: dict[str, str], meta: dict[str, str]) -> None:
        if name in self:
            return
        draft = _emptied(self._folder / f".new.{name}")
        about = edge_folder.Description(
            dim=dim, indexes=indexes, meta=meta, shard="shard", scan_copies=self._scan_copies
        )
        edge_folder.create(draft, about)
        draft.rename(self._folder / name)
        edge_folder.sync_folder(self._folder)

    def drop(self, name: str) -> None:
        if name not in self:
            return
        if opened := self._open.pop(name, None):
            opened.close()
        doomed = _emptied(self._folder / f".dropped.{name}")
        (self._folder / name).rename(doomed)
        edge_folder.sync_folder(self._folder)
        shutil.rmtree(doomed)

    @property
    def unflushed(self) -> bool:
        return any(one.unflushed for one in self._open.values())

    def flush(self, *, at_least: int = 1) -> None:
        """Flush the collections with that many points in their log alone."""
        for one in self._open.values():
            if one.unflushed >= at_least:
                one.flush()

    @property
    def has_trials(self) -> bool:
        return any(one.has_trials for one in self._open.values())

    def try_one(self) -> None:
        """A question of the collection used latest that has one to ask for its planner's sake."""
        next(one for one in reversed(self._open.values()) if one.has_trials).try_one()

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()
        os.close(self._lock)


def _emptied(path: Path) -> Path:
    """A name that is free, also after an attempt that failed, as on a full disk."""
    if path.exists():
        shutil.rmtree(path)
    return path


def _lock(folder: Path) -> int:
    """The kernel lets go of it when this process ends, however it ends. Raises StoreAway when another has it."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreAway(f"{folder} is in use by another process (pid {owner})") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
