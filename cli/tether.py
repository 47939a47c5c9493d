"""Starts a program that cannot outlive its parent: `python -m cli.tether PARENT_PID PROGRAM [ARGUMENT ...]`."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def command(*program: str) -> list[str]:
    """The command that starts `program` tied to this process. Only for the main thread: the kernel ties to a thread."""
    return [sys.executable, "-P", "-m", "cli.tether", str(os.getpid()), *program]


def main(parent: int, program: list[str]) -> None:
    """Becomes `program`; the kernel kills it when `parent` ends, however that ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have gone before the call above took effect.
    if os.getppid() == parent:
        os.execvp(program[0], program)  # noqa: S606 - the supervisor's own programs


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
