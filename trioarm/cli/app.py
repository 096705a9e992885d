"""The program: which commands there are, and how whatever they raise becomes a line and an exit code."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from cyclopts import App, CycloptsError

import trioarm
from trioarm.cli.check import check
from trioarm.cli.exits import Exit, exit_of, leaves, lines_of
from trioarm.cli.init import init
from trioarm.cli.run import run
from trioarm.cli.terminal import complain, forgive_encodings
from trioarm.core.errors import TrioarmError

INTERRUPTED: Final = 130  # as a shell says it of a program that SIGINT ended
UNREAD: Final = 141  # as a shell says it of a program whose output nobody read to the end

HELP: Final = """\
The scheduler that people can trust with their front door.

Without a command it is `run`. `trioarm help` lists what there is to read about.
"""


def _version() -> str:
    return f"trioarm {trioarm.__version__} (Python {platform.python_version()}, trio {version('trio')})"


def make_app() -> App:
    """Return the command line."""
    app = App(name="trioarm", help=HELP, version=_version, help_format="markdown")
    app.default(run)
    for command in (run, init, check):
        app.command(command)
    return app


def main(arguments: Sequence[str]) -> int:
    """Carry out a command line and return the exit code.

    Args:
        arguments: without the name of the program.
    """
    forgive_encodings()
    try:
        code = _carry_out(make_app(), _options_last(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on. What is still buffered must go nowhere when the interpreter flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _carry_out(app: App, arguments: Sequence[str]) -> int:
    try:
        command, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
        return int(command(*bound.args, **bound.kwargs) or Exit.CLEAN)
    except CycloptsError as error:
        complain([f"{' '.join(str(error).split())} See trioarm --help."])
        return Exit.USAGE
    except BrokenPipeError:
        raise
    except (TrioarmError, OSError, BaseExceptionGroup) as error:
        if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves(error)):
            return INTERRUPTED
        lines = lines_of(error)
        if lines is None:
            raise
        complain(lines)
        return exit_of(error)


def _options_last(arguments: Sequence[str]) -> list[str]:
    """Let `--config F` stand before the command, too."""
    rest = list(arguments)
    moved: list[str] = []
    while rest and (rest[0] in ("-c", "--config") or rest[0].startswith("--config=")):
        count = 1 if "=" in rest[0] else 2
        moved += rest[:count]
        del rest[:count]
    return [*rest[:1], *moved, *rest[1:]] if rest and not rest[0].startswith("-") else [*moved, *rest]
