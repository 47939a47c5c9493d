"""What every benchmark prints: figures by system, the machine and the commit."""

import argparse
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

Figures = Mapping[str, float]


class Report(msgspec.Struct, kw_only=True):
    """The last line of `python -m bench.NAME --json`."""

    figures: dict[str, dict[str, float]]
    notes: list[str] = msgspec.field(default_factory=list)

    def as_json(self) -> str:
        return msgspec.json.encode({**self.figures, "machine": machine(), "commit": commit()}).decode()


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; medians are reported")
    return parser


def emit(report: Report, *, as_json: bool) -> None:
    """A table for people, then, when asked for, the line for programs."""
    names = sorted({name for figures in report.figures.values() for name in figures})
    width = max(len(name) for name in names)
    systems = list(report.figures)
    print(" " * width, *(f"{system:>14}" for system in systems))
    for name in names:
        cells = (report.figures[system].get(name) for system in systems)
        print(f"{name:<{width}}", *("             –" if cell is None else f"{cell:>14,.2f}" for cell in cells))
    for note in report.notes:
        print(note)
    print(machine())
    if as_json:
        print(report.as_json())


def median_of(rounds: Sequence[Figures]) -> dict[str, float]:
    """The median of each figure over the rounds that have it."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: round(statistics.median(row[name] for row in rounds if name in row), 3) for name in names}


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return f"{len(os.sched_getaffinity(0))} cores, {model}, Python {platform.python_version()}"


def commit() -> str:
    answer = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
