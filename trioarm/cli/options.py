"""Options that several commands share, and how what people write there is read."""

from __future__ import annotations

import getpass
import json
import os
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias, TypeVar

import attrs
from cyclopts import Parameter

from trioarm.cli.exits import UsageError
from trioarm.config import FILE, FILE_ENV
from trioarm.core.errors import InvalidInstant
from trioarm.core.instants import microseconds, parse_duration, parse_instant
from trioarm.core.jsonable import Json
from trioarm.core.reading import member

ConfigFile: TypeAlias = Annotated[
    Path | None,
    Parameter(name=["--config", "-c"], help=f"The configuration file; otherwise ${FILE_ENV}, else {FILE}."),
]
AsJson: TypeAlias = Annotated[bool, Parameter(name="--json", help="One JSON object per line, instants in UTC with Z.")]

StoreUrl: TypeAlias = Annotated[
    str | None, Parameter(name="--store", help="Where schedules and runs are kept, instead of scheduler.store.")
]
Builtin: TypeAlias = Annotated[bool, Parameter(help="Those that trioarm keeps itself in order with, too.")]
Author: TypeAlias = Annotated[
    str | None, Parameter(name="--as", help="Who does this, for the record; otherwise your login name.")
]

E = TypeVar("E", bound=StrEnum)


@Parameter(name="*")  # its fields are options of the command itself
@attrs.frozen(kw_only=True)
class Asked:
    """Who asks for a change, where, and how they want to hear what became of it: what all changes have in common."""

    author: Author = None
    json: AsJson = False
    config: ConfigFile = None
    store: StoreUrl = None

    @property
    def by(self) -> str:
        """Who asks."""
        return author_of(self.author)


PLAINLY: Final = Asked()  # asked without any of these options


def author_of(said: str | None) -> str:
    """Return who uses the command line: whom they say they are, else their login name."""
    if said is not None:
        return said
    if os.geteuid() == 0 and (person := os.environ.get("SUDO_USER")):
        return person
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that nobody has a name for
        return f"uid {os.getuid()}"


def among(kind: type[E], words: Iterable[str] | None, option: str) -> frozenset[E] | None:
    """Return the members of an enumeration that an option names; None when it is not given.

    Raises:
        UsageError: there is no such member.
    """
    if words is None:
        return None
    read = member(kind)
    try:
        return frozenset(read(word.replace("-", "_")) for word in words)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def span_s(text: str, option: str) -> float:
    """Return a duration in seconds.

    Raises:
        UsageError: it is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def instant_of(text: str, option: str, now: int, *, past: bool = False) -> int:
    """Return the instant an option names: in ISO 8601, or as a duration from now on, or back from now.

    Raises:
        UsageError: it is neither.
    """
    if text[:1].isdigit() and text[-1] in "smhdw":
        away = microseconds(span_s(text, option))
        return now - away if past else now + away
    try:
        return parse_instant(text)
    except InvalidInstant as error:
        raise UsageError(f"{option}: {error}, or as a duration like 2h") from None


def read_args(text: str | None) -> dict[str, Json] | None:
    """Return the arguments for a handler, written as a JSON object; None when none are given.

    Raises:
        UsageError: it is no JSON object.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--args: it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError('--args: write a JSON object, like --args \'{"message": "hello"}\'')
    return value


def read_overrides(settings: Iterable[str]) -> dict[str, object]:
    """Read `KEY=VALUE` settings: a value is meant as in the file, and text needs no quotes.

    Raises:
        UsageError: one has no `=`.
    """
    overrides: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or "." not in key:
            raise UsageError(f"--set {setting}: write it like --set scheduler.check_interval=30s")
        overrides[key.strip()] = read_value(value.strip())
    return overrides


def read_value(text: str) -> object:
    """Return a value as the file would mean it; what is no TOML is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
