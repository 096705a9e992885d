"""The program: which commands there are, and how whatever they raise becomes a line and an exit code."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

import trioarm
from trioarm.cli.check import check
from trioarm.cli.completion import completion_of
from trioarm.cli.exits import Exit, exit_of, leaves, lines_of
from trioarm.cli.explain import explain
from trioarm.cli.init import init
from trioarm.cli.preview import preview
from trioarm.cli.run import run
from trioarm.cli.settings import set_, show
from trioarm.cli.terminal import complain, forgive_encodings
from trioarm.cli.topics import help_
from trioarm.core.errors import TrioarmError
from trioarm.core.reading import suggest

INTERRUPTED: Final = 130  # as a shell says it of a program that SIGINT ended
UNREAD: Final = 141  # as a shell says it of a program whose output nobody read to the end

PLAIN: Final = Parameter(negative="", show_default=False)  # no --no-json, and no word on what is plain

HELP: Final = """\
The scheduler that people can trust with their front door.

Without a command it is `run`. `trioarm help` lists what there is to read about.
"""


def _version() -> str:
    return f"trioarm {trioarm.__version__} (Python {platform.python_version()}, trio {version('trio')})"


def make_app() -> App:
    """Return the command line."""
    app = App(name="trioarm", help=HELP, version=_version, help_format="markdown", default_parameter=PLAIN)
    app.default(run)
    for command in (run, init, check, preview, explain):
        app.command(command)
    settings = App(name="config", help="Show the settings, or change one.")
    settings.command(show)
    settings.command(set_, name="set")
    app.command(settings)
    app.command(help_, name="help")
    app.command(completion_of(app), name="completion")
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
        complain([_misused(app, error)])
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


def _misused(app: App, error: CycloptsError) -> str:
    """Return what is wrong with a command line, in one line."""
    if not isinstance(error, UnusedCliTokensError) or not error.unused_tokens:
        return f"{' '.join(str(error).split())} See trioarm --help."
    word, chain = error.unused_tokens[0], " ".join(error.command_chain or ())
    commands = [name for name in app if not name.startswith("-")]
    if chain:
        return f"{chain} does not know what to do with {word!r}. See trioarm {chain} --help."
    if word in commands:
        return f"{word!r} comes too late: write trioarm {word}, then its options"
    return f"there is no command {word!r}{suggest(word, commands)}"


def _options_last(arguments: Sequence[str]) -> list[str]:
    """Let `--config F` stand before the command, too."""
    rest = list(arguments)
    moved: list[str] = []
    while rest and (rest[0] in ("-c", "--config") or rest[0].startswith("--config=")):
        count = 1 if "=" in rest[0] else 2
        moved += rest[:count]
        del rest[:count]
    return [*rest[:1], *moved, *rest[1:]] if rest and not rest[0].startswith("-") else [*moved, *rest]
