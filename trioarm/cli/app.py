"""The program: which commands there are, and how whatever they raise becomes a line and an exit code."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version
from itertools import takewhile
from typing import Final

from cyclopts import (
    App,
    Argument,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

import trioarm
from trioarm.cli.exits import Exit, exit_of, leaves, lines_of
from trioarm.cli.guessing import NEAR, WORD_MAX, guesses, in_words, nearest_pair
from trioarm.cli.terminal import complain, forgive_encodings
from trioarm.core.errors import TrioarmError
from trioarm.core.reading import show

INTERRUPTED: Final = 130  # as a shell says it of a program that SIGINT ended
UNREAD: Final = 141  # as a shell says it of a program whose output nobody read to the end

HELP_FLAGS: Final = ("--help", "-h")

ANYWHERE: Final = ("-c", "--config", "--store")

PLAIN: Final = Parameter(negative="", show_default=False)  # no --no-json, and no word on what is plain

HELP: Final = """\
The scheduler that people can trust with their front door.

Without a command it is `run`. `trioarm help` lists what there is to read about.
"""


def _version() -> str:
    return f"trioarm {trioarm.__version__} (Python {platform.python_version()}, trio {version('trio')})"


COMMANDS: Final = {
    "run": "trioarm.cli.run:run",
    "init": "trioarm.cli.init:init",
    "check": "trioarm.cli.check:check",
    "preview": "trioarm.cli.preview:preview",
    "explain": "trioarm.cli.explain:explain",
    "status": "trioarm.cli.status:status",
    "statistics": "trioarm.cli.statistics:statistics",
    "help": "trioarm.cli.topics:help_",
    "completion": "trioarm.cli.completion:completion",
}
"""Where each command is; a module is imported when its command is carried out, or when people ask what there is."""

GROUPS: Final = {
    "schedules": (
        "List and change stored schedules, whether or not a node is running.",
        {
            "list": "trioarm.cli.schedule_list:list_",
            "show": "trioarm.cli.schedule_show:show",
            "add": "trioarm.cli.schedule_add:add",
            "remove": "trioarm.cli.schedule_changes:remove",
            "pause": "trioarm.cli.schedule_changes:pause",
            "resume": "trioarm.cli.schedule_changes:resume",
            "skip": "trioarm.cli.schedule_changes:skip",
            "postpone": "trioarm.cli.schedule_changes:postpone",
            "undo": "trioarm.cli.schedule_changes:undo",
            "fire": "trioarm.cli.fire:fire",
            "backfill": "trioarm.cli.backfill:backfill",
        },
    ),
    "runs": (
        "List what ran, what did not and why; cancel runs and run them again.",
        {
            "list": "trioarm.cli.run_list:list_",
            "show": "trioarm.cli.run_show:show",
            "cancel": "trioarm.cli.run_changes:cancel",
            "retry": "trioarm.cli.run_retry:retry",
        },
    ),
    "partitions": (
        "Look at what can be armed; arm, disarm, hold and release it.",
        {
            "list": "trioarm.cli.partitions:list_",
            "show": "trioarm.cli.partitions:show",
            "arm": "trioarm.cli.partition_changes:arm",
            "disarm": "trioarm.cli.partition_changes:disarm",
            "hold": "trioarm.cli.partition_changes:hold",
            "release": "trioarm.cli.partition_changes:release",
        },
    ),
    "exceptions": (
        "List, add and remove what is otherwise than the timetable for some days.",
        {
            "list": "trioarm.cli.exceptions:list_",
            "add": "trioarm.cli.exceptions:add",
            "remove": "trioarm.cli.exceptions:remove",
        },
    ),
    "conditions": (
        "Look at what schedules depend on.",
        {
            "list": "trioarm.cli.conditions:list_",
        },
    ),
    "alerts": (
        "List what somebody should know, or do something about, and say that it was seen.",
        {
            "list": "trioarm.cli.alerts:list_",
            "show": "trioarm.cli.alerts:show",
            "ack": "trioarm.cli.alerts:ack",
        },
    ),
    "notify": (
        "Look at the ways by which people are told of alerts, and try them.",
        {
            "list": "trioarm.cli.notify:list_",
            "test": "trioarm.cli.notify:send_test",
        },
    ),
    "report": (
        "Report what partitions were, by day or week: when, by whom, as expected or not.",
        {
            "day": "trioarm.cli.report:day",
            "week": "trioarm.cli.report:week",
        },
    ),
    "audit": (
        "Read who or what armed what, and why; prove that this is what was written.",
        {
            "list": "trioarm.cli.audit:list_",
            "verify": "trioarm.cli.audit:verify",
        },
    ),
    "resources": (
        "Look at what runs need beside a worker.",
        {
            "list": "trioarm.cli.resources:list_",
        },
    ),
    "calendars": (
        "Look at calendars of events, and what is known of them.",
        {
            "list": "trioarm.cli.calendars:list_",
            "show": "trioarm.cli.calendars:show",
        },
    ),
    "clock": (
        "Look at the wall clock, or say that it is right.",
        {
            "show": "trioarm.cli.clock:show",
            "trust": "trioarm.cli.clock:trust",
        },
    ),
    "config": (
        "Show the settings, or change one.",
        {
            "show": "trioarm.cli.settings:show",
            "set": "trioarm.cli.settings:set_",
        },
    ),
    "store": (
        "Look after the file that everything is kept in.",
        {
            "migrate": "trioarm.cli.store:migrate",
            "backup": "trioarm.cli.store:backup",
            "check": "trioarm.cli.store:check",
            "prune": "trioarm.cli.store_prune:prune",
        },
    ),
}


ALL: Final = (*COMMANDS, *(f"{group} {command}" for group, (_, commands) in GROUPS.items() for command in commands))


def make_app() -> App:
    """Return the command line; its commands are not imported yet."""
    app = App(name="trioarm", help=HELP, version=_version, help_format="markdown", default_parameter=PLAIN)
    for name, place in COMMANDS.items():
        app.command(place, name=name)
    for name, (text, commands) in GROUPS.items():
        group = App(name=name, help=text)
        for command, place in commands.items():
            group.command(place, name=command)
        app.command(group)
    return app


def load(app: App) -> None:
    """Import every command, for whoever wants to know what they do. Without a command it is `run`."""
    from trioarm.cli.run import run

    app.default(run)
    _resolve(app)


def _resolve(app: App) -> None:
    for name in app:
        if not name.startswith("-"):
            _resolve(app[name])


def main(arguments: Sequence[str]) -> int:
    """Carry out a command line and return the exit code.

    Args:
        arguments: without the name of the program.
    """
    forgive_encodings()
    try:
        arguments = _options_last(arguments)
        code = _carry_out(_app_for(arguments), arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on. What is still buffered must go nowhere when the interpreter flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _app_for(arguments: Sequence[str]) -> App:
    """Return the command line with as much of it imported as these arguments need: a listing must not wait for all."""
    app = make_app()
    asks = any(word in HELP_FLAGS for word in arguments) or (len(arguments) == 1 and arguments[0] in GROUPS)
    if asks or not arguments or arguments[0] not in app:
        load(app)
    return app


def _carry_out(app: App, arguments: Sequence[str]) -> int:
    try:
        command, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
        return int(command(*bound.args, **bound.kwargs) or Exit.CLEAN)
    except CycloptsError as error:
        complain([_misused(error, arguments)])
        return Exit.USAGE
    except BrokenPipeError:
        raise
    except (TrioarmError, OSError, BaseExceptionGroup) as error:
        if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves(error)):
            return INTERRUPTED
        if any(isinstance(leaf, BrokenPipeError) for leaf in leaves(error)):
            raise BrokenPipeError from error
        lines = lines_of(error)
        if lines is None:
            raise
        complain(lines)
        return exit_of(error)


def _misused(error: CycloptsError, arguments: Sequence[str]) -> str:
    """Return what is wrong with a command line, in one line."""
    words = list(takewhile(lambda word: not word.startswith("-"), arguments))[:2]
    if words and words[0] not in COMMANDS and words[0] not in GROUPS:
        return _unknown(words[:1], words)
    if isinstance(error, UnknownCommandError):
        return _unknown(words, words)
    chain = " ".join(error.command_chain or ())
    if not isinstance(error, UnusedCliTokensError) or not error.unused_tokens:
        return f"{_refused(error)} See {f'trioarm {chain}'.rstrip()} --help."
    word = error.unused_tokens[0]
    if chain:
        pair = nearest_pair(words, ALL) if words == [chain, word] else None
        meant = "." if pair is None else f"; {in_words([pair])}"
        return f"{chain} does not know what to do with {show(word)}{meant} See trioarm {chain} --help."
    if word in COMMANDS or word in GROUPS:
        return f"{show(word)} comes too late: write trioarm {word}, then its options"
    return _unknown([word], [word])


def _refused(error: CycloptsError) -> str:
    """Return what is wrong with the options or arguments of a command."""
    match error:
        case UnknownOptionError(token=token, argument_collection=options):
            word = token.keyword or token.value
            names = [name for option in options for name in option.names]
            near = get_close_matches(word, names, 1, NEAR) if len(word) <= WORD_MAX else []
            return f"there is no option {show(word)}" + (f": did you mean {near[0]}?" if near else ".")
        case MissingArgumentError(keyword=str() as option):
            return f"{option} needs a value."
        case MissingArgumentError(argument=Argument() as argument):
            return f"{argument.name} is missing."
        case _:
            return " ".join(str(error).split())


def _unknown(named: Sequence[str], words: Sequence[str]) -> str:
    question = in_words(found) if (found := guesses(words, ALL)) else "see trioarm --help"
    return f"there is no command {show(' '.join(named))}: {question}"


def _options_last(arguments: Sequence[str]) -> list[str]:
    """Let `--config F` and `--store URL` stand before the command, too."""
    rest = list(arguments)
    moved: list[str] = []
    while rest and (rest[0] in ANYWHERE or rest[0].startswith(("--config=", "--store="))):
        count = 1 if "=" in rest[0] else 2
        moved += rest[:count]
        del rest[:count]
    command = 0 if not rest or rest[0].startswith("-") else 2 if rest[0] in GROUPS else 1  # words of its name
    return [*rest[:command], *moved, *rest[command:]]
