"""How the program ends: its exit codes (S8.2), and errors as lines for people, never as tracebacks."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from trioarm.core.errors import ConfigurationError, RepositoryError, TrioarmError


class Exit(IntEnum):
    """What the program tells whoever started it."""

    CLEAN = 0
    FAILURE = 1
    USAGE = 2  # the configuration, the store or the command line cannot be used
    CUT_SHORT = 3  # runs had to be cancelled, at the drain deadline or by a second signal
    DOWN = 4  # `status` only: no node is alive


class UsageError(TrioarmError):
    """The command line asks for something that does not exist; one sentence that says what to write."""


# What cannot be asked for, what is not there, and where it cannot be looked for.
_ASKED_WRONGLY: Final = (ConfigurationError, RepositoryError, UsageError, ValueError, LookupError)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions in a group, or the one that is none."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def lines_of(error: BaseException) -> list[str] | None:
    """Return what to tell people of an error, a line per problem; None for what is our own mistake."""
    lines: list[str] = []
    for leaf in leaves(error):
        match leaf:
            case ConfigurationError(problems=problems):
                lines += problems
            case TrioarmError():
                lines.append(" ".join(str(leaf).split()))
            case OSError():
                lines.append(_system_error(leaf))
            case _:
                return None
    return lines


def exit_of(error: BaseException) -> Exit:
    """Return the exit code for an error that `lines_of` has words for."""
    return Exit.USAGE if all(isinstance(leaf, _ASKED_WRONGLY) for leaf in leaves(error)) else Exit.FAILURE


def _system_error(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"
