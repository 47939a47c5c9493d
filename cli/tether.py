"""Starts a program that cannot outlive its parent: `python -m cli.tether PARENT_PID PROGRAM [ARGUMENT ...]`."""

import os
import sys

from workers.stores.process import die_with_parent


def command(*program: str) -> list[str]:
    """The command that starts `program` tied to this process. Only for the main thread: the kernel ties to a thread."""
    return [sys.executable, "-P", "-m", "cli.tether", str(os.getpid()), *program]


def main(parent: int, program: list[str]) -> None:
    """Becomes `program`; the kernel kills it when `parent` ends, however that ends."""
    die_with_parent(parent)
    os.execvp(program[0], program)  # noqa: S606 - the supervisor's own programs


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
