"""The terminal: where text for people goes, and whether it may have colours.

Listings go to stdout, errors to stderr. Colours are for terminals, unless NO_COLOR is set or TERM is dumb.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from enum import Enum
from io import TextIOWrapper
from typing import Final, TextIO

from trioarm.core.jsonable import Json

WIDTH_MIN: Final = 20  # columns of text, however narrow the terminal is
WIDTH_MAX: Final = 110  # longer lines are hard to read


class Style(Enum):
    """How a piece of text looks on a terminal, as ANSI codes; names say what it is for."""

    HEADING = "1"
    NOTICE = "33"
    BAD = "31"
    FAINT = "2"


def coloured(stream: TextIO) -> bool:
    """Whether colours may be written to a stream."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, style: Style, stream: TextIO) -> str:
    """Return a text as it is to be written to a stream."""
    return f"\033[{style.value}m{text}\033[0m" if coloured(stream) else text


def wrapped(text: str, indent: str) -> list[str]:
    """Return a text as lines that fit the terminal, each behind an indent; at least one."""
    width = max(len(indent) + WIDTH_MIN, min(WIDTH_MAX, shutil.get_terminal_size().columns))
    lines = textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return lines or [indent]


def say(text: str = "") -> None:
    """Write a line to stdout."""
    sys.stdout.write(text + "\n")


def flush() -> None:
    """Let readers see at once what was written to stdout."""
    sys.stdout.flush()


def say_json(row: Mapping[str, Json]) -> None:
    """Write one object in one line to stdout."""
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def complain(lines: Iterable[str]) -> None:
    """Write errors to stderr, a line each."""
    mark = paint("error:", Style.BAD, sys.stderr)
    for line in lines:
        sys.stderr.write(f"{mark} {line}\n")


def remark(text: str) -> None:
    """Write to stderr what is no error, and no part of a listing."""
    sys.stderr.write(text + "\n")


def forgive_encodings() -> None:
    """Let characters that a terminal cannot show be written as escapes instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
