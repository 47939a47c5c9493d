"""How a command can end other than well; each knows its exit code.

Failure            1  it was tried and did not work
├── Mistake        2  the command line or a setting asks for something that cannot be
└── Unreachable    3  the server, or what it needs, does not answer
"""

from typing import ClassVar


class Failure(Exception):
    """Its text is all that the user sees; never a traceback."""

    code: ClassVar[int] = 1


class Mistake(Failure):
    """Something the user can put right in the command or in a CLIPLINE_* variable."""

    code = 2


class Unreachable(Failure):
    """Worth trying again later."""

    code = 3
