"""A sheet: everything about one thing, as lines behind labels."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from trioarm.cli.terminal import Style, paint, say, wrapped
from trioarm.cli.wording import distance
from trioarm.core.instants import SECOND, as_datetime, instant

LABEL: Final = 10  # columns of the words in front, or as many as the longest of them needs


def say_sheet(title: str, entries: Iterable[tuple[str, str]]) -> None:
    """Write a sheet to stdout.

    Args:
        title: what it is about.
        entries: label and text of each; an empty label continues the entry before.
    """
    say(paint(title, Style.HEADING, sys.stdout))
    lines = list(entries)
    width = max([LABEL, *(len(label) + 1 for label, _ in lines)])
    for label, text in lines:
        begin = f"  {label:<{width}}"
        first, *more = wrapped(text, " " * len(begin))
        say(paint(begin, Style.FAINT, sys.stdout) + first[len(begin) :])
        for line in more:
            say(line)


def moment(at: datetime, now: int) -> str:
    """Return a moment with its weekday, and how far it is from `now`."""
    return f"{at:%a} {at.isoformat(' ', 'seconds')}  {distance((instant(at) - now) / SECOND)}"


def here(at: int, now: int) -> str:
    """Return an instant as the clock of this machine shows it, and how far it is from `now`.

    Args:
        at: microseconds since 1970 UTC.
    """
    return moment(as_datetime(at).astimezone(), now)
