"""`clipline bench`: runs the benchmarks of a source checkout."""

import importlib.util
import pkgutil
import subprocess
import sys
from typing import Annotated

import typer

from cli.failures import Mistake
from cli.options import out

Name = Annotated[str | None, typer.Argument(help="Which one; without it they are listed. What follows is its own.")]


def bench(context: typer.Context, name: Name = None) -> None:
    """Run a benchmark of Clipline beside its peers.

    Examples:

        clipline bench

        clipline bench dispatch --json
    """
    known = _known()
    if name is None:
        out.print("\n".join(known))
        return
    if name not in known:
        raise Mistake(f"no benchmark {name!r}; there are {', '.join(known)}")
    done = subprocess.run([sys.executable, "-P", "-m", f"bench.{name}", *context.args], check=False)  # noqa: S603
    raise typer.Exit(done.returncode)


def _known() -> list[str]:
    """Modules that can be run and report figures; the others are parts of them, such as the servers under test."""
    found = importlib.util.find_spec("bench")
    if found is None or found.submodule_search_locations is None:
        raise Mistake("the benchmarks are in the source repository, not in the package")
    names = [module.name for module in pkgutil.iter_modules(found.submodule_search_locations)]
    return [name for name in names if _runs(name)]


def _runs(name: str) -> bool:
    spec = importlib.util.find_spec(f"bench.{name}")
    if spec is None or spec.origin is None:
        return False
    with open(spec.origin, encoding="utf-8") as source:  # noqa: PTH123 - a loader's origin is a string
        text = source.read()
    return '__name__ == "__main__"' in text and "emit(" in text
