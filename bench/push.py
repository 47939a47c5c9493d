"""Push: how many people one API process keeps connected, what each costs, and how fast they are told.

`connections` idle websockets are opened; `kib_per_connection` is the growth of the process's resident memory for each,
`idle_cpu_share` its share of one core while they do nothing. `fanout_msgs_s` is the rate at which events that are
written to Redis as fast as they are read reach `--watchers` clients, who all see the same session;
`fanout_single_msgs_s` the same when each event waits for the one before, so that nothing can be sent together.
`push_p50_ms` and `push_p99_ms` are from a result in a worker's hands to the client, while `--people` search at random,
each every `--think-s` in the mean; `idle_p50_ms` and `idle_p99_ms` are those of one person alone. `stalled_mib` is what
one client that does not read adds to the process's memory while it is sent results, at its highest; several stall at
once, the mean is told.

`websockets` is the floor: a bare server of that library that sends the same text to the same clients and keeps no
state. Everything shares this machine's cores: server, Redis, worker, and the clients in the benchmark's own process.
"""

import argparse
import tempfile
from os import getloadavg

import uvloop

from bench import push_phases
from bench.push_stack import floor, stack
from bench.report import Figures, Report, arguments, emit, median_of, progress


def main() -> None:
    chosen = _arguments()
    ours: list[Figures] = []
    floors: list[Figures] = []
    for _ in range(chosen.rounds):
        ours.append(_ours(chosen))
        progress(f"clipline: {ours[-1]}")
        with floor() as server:
            floors.append(uvloop.run(push_phases.floor(server, chosen)))
        progress(f"websockets: {floors[-1]}")
    report = Report(figures={"clipline": median_of(ours), "websockets": median_of(floors)})
    over = report.figures["clipline"]["push_p99_ms"] - report.figures["clipline"]["idle_p99_ms"]
    report.notes.append(f"{chosen.people} people: p99 is {over:.1f} ms over that of one alone")
    report.notes.append(f"load average {getloadavg()[0]:.2f}")
    emit(report, as_json=chosen.json)


def _ours(chosen: argparse.Namespace) -> Figures:
    """Idle connections have a stack of their own: its process has seen nothing else, so that its memory tells."""
    figures: Figures = {}
    for phases in ([push_phases.connected], [push_phases.fanned_out, push_phases.busy, push_phases.stalled]):
        with tempfile.TemporaryDirectory(prefix="clipline-bench-") as folder, stack(folder) as running:
            for phase in phases:
                figures = {**figures, **uvloop.run(phase(running, chosen))}
                progress(f"{phase.__name__}: {figures}")
    return figures


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=1)
    parser.add_argument("--connections", type=int, default=10_000, help="idle websockets")
    parser.add_argument("--idle-s", type=float, default=10.0, help="how long they are watched")
    parser.add_argument("--watchers", type=int, default=1_000, help="clients that see the same events")
    parser.add_argument("--events", type=int, default=500, help="how many events each of them is told")
    parser.add_argument("--people", type=int, default=1_000, help="sessions that search")
    parser.add_argument("--think-s", type=float, default=4.0, help="mean pause between two searches of one person")
    parser.add_argument("--seconds", type=float, default=15.0, help="of searching")
    parser.add_argument("--stalled", type=int, default=10, help="clients that stop to read, of as many people")
    chosen: argparse.Namespace = parser.parse_args()
    return chosen


if __name__ == "__main__":
    main()
