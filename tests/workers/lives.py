"""Workers that only live and die, with a real parent: `python -m tests.workers.lives FOLDER HOW`.

Each notes its life in FOLDER/lives: its process id, and the name of the one before it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from shared import logs
from shared.settings import Settings, from_env
from workers.legacy import Bequeath, Legacy
from workers.parent import Parent

LONG_S = 3_600


def live(folder: Path, how: str, before: Legacy, bequeath: Bequeath) -> int:
    name = f"life-{os.getpid()}"
    if how == "leaves something running":
        # As a worker's decoders and its store: it holds a file, and nothing tells it that its worker is gone.
        with (folder / "held").open("a") as held:
            subprocess.Popen(["sleep", str(LONG_S)], stdout=held)
    if how != "dies before it works":
        bequeath(Legacy(worker_id=name))
    with (folder / "lives").open("a") as lives:
        lives.write(f"{os.getpid()} {before.worker_id or '-'}\n")
    match how.split():
        case ["ends", "with", code]:
            return int(code)
        case ["dies", *_]:
            os.kill(os.getpid(), signal.SIGSEGV)
        case ["drains"]:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(LONG_S)
    return 0


def main(settings: Settings, folder: Path, how: str) -> int:
    return Parent(settings, lambda before, bequeath: live(folder, how, before, bequeath)).run()


if __name__ == "__main__":
    given = from_env(os.environ)
    logs.configure(given)
    sys.exit(main(given, Path(sys.argv[1]), sys.argv[2]))
