"""CPU time of a server's processes, from Linux' /proc: what a search costs in each of them."""

import os
from pathlib import Path

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
# In what a process is called by; the store's process first, since it is a worker's too.
PARTS = {
    "workers.stores.edge_process": "store",
    "multiprocessing.forkserver": "decoders",
    "-m workers": "worker",
    "-m api": "api",
    "redis": "redis",
}

Milliseconds = dict[str, float]


def read(pid: int) -> Milliseconds:
    """Of the process and all below it, by part; `other` are those that have no part of their own. Empty elsewhere."""
    used: Milliseconds = {}
    for each in _family(pid):
        try:
            called = (Path(f"/proc/{each}/cmdline").read_bytes() + Path(f"/proc/{each}/comm").read_bytes()).decode()
            fields = _fields(each)
        except OSError:
            continue
        called = called.replace("\0", " ")
        part = next((name for sign, name in PARTS.items() if sign in called), "other")
        used[part] = used.get(part, 0.0) + (int(fields[11]) + int(fields[12])) * TICK_MS
    return used


def per_search(before: Milliseconds, after: Milliseconds, searches: float) -> dict[str, float]:
    """Milliseconds of CPU for each search, as figures of a benchmark."""
    return {f"cpu_ms_{part}": (used - before.get(part, 0.0)) / searches for part, used in after.items()}


def _family(pid: int) -> list[int]:
    """The process and its descendants."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            below.setdefault(int(_fields(int(entry.name))[1]), []).append(int(entry.name))
        except OSError:
            continue
    family = [pid]
    for each in family:
        family += below.get(each, [])
    return family


def _fields(pid: int) -> list[str]:
    """What proc(5) lists from the state on: the name before it may have spaces and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
