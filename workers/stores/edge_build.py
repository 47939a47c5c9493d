"""Builds a collection's HNSW graph on a copy, so that searches go on meanwhile; run as a program it is the builder.

Edge's `optimize()` holds its process until it is done (18 s for 20,000 × 512 on two busy cores). The steps: flush;
another process copies the shard, writes to this collection waiting meanwhile; it builds the graph on the copy, at low
priority; the points changed since are carried over in small steps between requests; one rename of the description
makes the copy the collection. A crash at any step leaves the old shard in place.
"""

import logging
import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from uuid import uuid4

import qdrant_edge as edge

from shared.errors import StoreAway
from shared.settings import from_env
from workers.stores import edge_folder
from workers.stores.edge_collection import Collection
from workers.stores.plan import EXACT_UP_TO
from workers.stores.process import die_with_parent

logger = logging.getLogger(__name__)

COPIED = b"copied\n"
NICE = 10
STEP_POINTS = 256
# One point in so many may be without a graph.
SCANNED_SHARE = 50


def is_due(collection: Collection) -> bool:
    """Whether a graph would help: what has none is scanned, which costs little up to the planner's own bound; and of a
    large collection a build costs more than scanning a small share of it."""
    return collection.unindexed > max(EXACT_UP_TO, collection.count // SCANNED_SHARE)


class Build:
    """One running build; `fileno` is readable when there is news of the builder."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.copying = True
        self._target: edge.EdgeShard | None = None
        collection.flush()
        collection.changed = set()
        self._path = collection.folder / f"shard-{uuid4().hex}"
        command = [
            sys.executable,
            "-m",
            "workers.stores.edge_build",
            str(collection.shard_path),
            str(self._path),
            str(os.getpid()),
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        logger.info("build %s ← %d points without a graph", collection.name, collection.unindexed)

    def fileno(self) -> int:
        assert self._process.stdout is not None, "opened as a pipe"
        return self._process.stdout.fileno()

    @property
    def built(self) -> bool:
        """Only the points changed meanwhile are left to carry over."""
        return self._target is not None

    def on_readable(self) -> bool:
        """Learn how far the builder is; true when it has ended. Raises StoreAway when it failed."""
        if os.read(self.fileno(), len(COPIED)):
            self.copying = False
            return False
        if code := self._process.wait():
            raise StoreAway(f"the index build of {self.collection.name} ended with {code}")
        self._target = edge_folder.opened(self._path, self.collection.description)
        return True

    def step(self) -> bool:
        """Carry some changed points over; true when the built shard has taken over."""
        assert self._target is not None, "called when built"
        changed = self.collection.changed or set()
        if some := list(islice(changed, STEP_POINTS)):
            self.collection.copy_changes(some, self._target)
            changed.difference_update(some)
            return False
        self.collection.switch(self._path.name, self._target)
        self._end()
        logger.info("build %s → %d points without a graph", self.collection.name, self.collection.unindexed)
        return True

    def cancel(self) -> None:
        self._process.kill()
        self._end()
        if self._target is not None:
            self._target.close()
        shutil.rmtree(self._path, ignore_errors=True)

    def _end(self) -> None:
        self._process.wait()
        self.collection.changed = None
        if self._process.stdout is not None:
            self._process.stdout.close()


def main(source: Path, target: Path, parent: int) -> None:
    """Copy the shard, tell, build the graph."""
    die_with_parent(parent)
    os.nice(NICE)
    shutil.copytree(source, target)
    sys.stdout.buffer.write(COPIED)
    sys.stdout.buffer.flush()
    config = edge_folder.config(edge_folder.read_description(source.parent), quantize=from_env(os.environ).quantize)
    shard = edge.EdgeShard.load(str(target), config)
    shard.optimize()
    shard.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
