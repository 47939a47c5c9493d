"""What an ingest did, counted from the results of its jobs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from cli.walk import Left
from shared.jobs import IngestResult, Skipped


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `clipline ingest --json` prints. `frames`: items that videos brought; `partial`: videos that were
    read in part.
    """

    collection: str
    added: int
    updated: int
    unchanged: int
    frames: int
    skipped: list[Left]
    failed: list[Left]
    partial: list[Left]
    seconds: float


class Tally:
    """Every file is counted once: added, updated (its payload), unchanged, skipped or failed."""

    def __init__(self, collection: str, *, skipped: Iterable[Left] = (), failed: Iterable[Left] = ()) -> None:
        self.collection = collection
        self.added = self.updated = self.unchanged = self.frames = 0
        self.skipped, self.failed = [*skipped], [*failed]
        self.partial: list[Left] = []

    def add(self, result: IngestResult, paths: Mapping[str, Path], *, again: Sequence[str] = ()) -> None:
        """Count a job's result, but for the sources that go `again`."""
        later = frozenset(again)
        self.added += result.added
        self.updated += result.updated
        self.unchanged += result.unchanged
        self.frames += result.frames
        self.partial += [_left(row, paths) for row in result.partial]
        self.skipped += [_left(row, paths) for row in result.skipped if row.source not in later]
        self.failed += [_left(row, paths) for row in result.failed if row.source not in later]

    def report(self, seconds: float) -> Report:
        return Report(
            collection=self.collection,
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            frames=self.frames,
            skipped=self.skipped,
            failed=self.failed,
            partial=self.partial,
            seconds=round(seconds, 3),
        )


def _left(row: Skipped, paths: Mapping[str, Path]) -> Left:
    return Left(path=str(paths.get(row.source, row.source)), reason=row.reason)


def lines(report: Report) -> list[str]:
    """For people: one line of counts, then reasons with how many files have them, an example each."""
    counts = {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "skipped": len(report.skipped),
        "failed": len(report.failed),
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name == "added")
    frames = f" ({report.frames:,} pictures of videos)" if report.frames else ""
    return [
        f"{report.collection}: {told}{frames} in {report.seconds:.1f} s",
        *_reasons("read in part", report.partial),
        *_reasons("skipped", report.skipped),
        *_reasons("failed", report.failed),
    ]


def _reasons(name: str, rows: Sequence[Left]) -> list[str]:
    first = {row.reason: row.path for row in reversed(rows)}
    counted = Counter(row.reason for row in rows).most_common(10)
    return [f"  {name} {count:,} × {reason}, as {first[reason]}" for reason, count in counted]
