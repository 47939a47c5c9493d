"""Makes one virtual environment for each peer, since their dependencies conflict: `python -m bench.peers.install`."""

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent
ROOT = REQUIREMENTS.parent.parent
ENVIRONMENTS = ROOT / ".venv-peers"


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment, whether it is there or not."""
    return ENVIRONMENTS / name / "bin" / "python"


def peers() -> list[str]:
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def install(name: str) -> str | None:
    """Make or complete an environment; returns why that failed, or None."""
    folder, pinned = ENVIRONMENTS / name, REQUIREMENTS / f"{name}.txt"
    stamp = folder / pinned.name
    if stamp.exists() and stamp.read_text() == pinned.read_text():
        return None
    steps = [
        [sys.executable, "-m", "venv", str(folder)],
        [str(python_of(name)), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(pinned)],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip().rpartition("\n")[2] or f"{step[0]} ended with {done.returncode}"
    stamp.write_text(pinned.read_text())
    return None


def main() -> int:
    failed = 0
    for name in peers():
        reason = install(name)
        failed += reason is not None
        print(f"{name}: {reason or 'ready'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
