"""Runs one API process: `python -m api`."""

import os
import sys

from api.server import serve
from shared import logs
from shared.settings import SettingsError, from_env


def main() -> int:
    try:
        settings = from_env(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(settings)
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
