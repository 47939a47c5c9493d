"""The `clipline` command: one table of commands, one place where failures become exit codes."""

import sys

import typer
from rich.markup import escape

from cli import bench, collections, ingest, jobs, keys, queues, reindex, search, servers, sessions, up, workers
from cli.failures import Failure, Mistake
from cli.options import err
from cli.remote import failure_of
from shared.errors import CliplineError
from shared.settings import SettingsError

app = typer.Typer(
    name="clipline",
    help="Find pictures by what they show. `clipline up --demo` starts everything on this machine.\n\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 unreachable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up.up)
app.command()(servers.api)
app.command()(servers.worker)
app.command()(ingest.ingest)
app.command()(search.search)
app.add_typer(jobs.app, name="jobs")
app.add_typer(queues.app, name="queues")
app.add_typer(workers.app, name="workers")
collections.app.command()(reindex.reindex)
app.add_typer(collections.app, name="collections")
app.add_typer(sessions.app, name="sessions")
app.add_typer(keys.app, name="keys")
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(bench.bench)


def run() -> None:
    """The console script."""
    try:
        app()
    except Failure as failure:
        sys.exit(_say(failure, failure.code))
    except SettingsError as error:
        sys.exit(_say(error, Mistake.code))
    except CliplineError as error:
        ending = failure_of(error)
        sys.exit(_say(ending, ending.code))
    except KeyboardInterrupt:
        sys.exit(130)


def _say(error: Exception, code: int) -> int:
    err.print(f"[bold]clipline:[/] {escape(str(error))}")
    return code


if __name__ == "__main__":
    run()
