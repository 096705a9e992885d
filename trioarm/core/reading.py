"""Reading: plain trees (TOML, JSON) strictly turned into values, every problem found in one go and named by its path.

A reader is a function from any plain value to the value meant, or ValueError saying what would be right. A `Table`
reads the keys of one mapping and knows which nobody asked for. Nothing is coerced: "5" is no number, true is none.
It is ours, and not a library's, because one value here is often spread over several keys and several sources, and a
problem with one of them must not hide those of the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, NoReturn, TypeAlias, TypeVar

import attrs

from trioarm.core.errors import TrioarmError
from trioarm.core.instants import instant, parse_duration, render_duration

PROBLEMS_MAX: Final = 100  # lines reported at once: nobody reads more, and a hostile file cannot keep us searching
LINE_MAX: Final = 500  # characters of one line
SHOWN_MAX: Final = 40  # characters of a mistaken value that are quoted
WORD_MAX: Final = 64  # longer words are compared with nothing: they are no slip of the pen
KNOWN_MAX: Final = 256  # known words a mistaken one is compared with
LISTED_MAX: Final = 50  # known words that are listed where none is near
TEXT_MAX: Final = 64  # characters of a duration or an instant

T = TypeVar("T")
D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)
Reader: TypeAlias = Callable[[object], T]

_BARE = re.compile(r"[A-Za-z0-9_/.-]{1,64}")


@attrs.define(slots=True, eq=False)
class Problems:
    """What is wrong, a line each, collected until somebody settles.

    Args:
        error: the kind of error that carries the lines.
    """

    error: Callable[[tuple[str, ...]], TrioarmError]
    lines: list[str] = attrs.field(factory=list, init=False)

    def add(self, path: str, message: str) -> None:
        """Note that the value at `path` is wrong.

        Raises:
            TrioarmError: of the kind asked for, when this was one too many.
        """
        if len(self.lines) == PROBLEMS_MAX:
            self.lines.append(f"these {PROBLEMS_MAX} are not all: put them right first")
            self._give_up()
        line = f"{path}: {message}" if path else message
        self.lines.append(line if len(line) <= LINE_MAX else line[:LINE_MAX] + "...")

    def settle(self) -> None:
        """Go on if nothing was wrong.

        Raises:
            TrioarmError: of the kind asked for, with every line.
        """
        if self.lines:
            self._give_up()

    def _give_up(self) -> NoReturn:
        raise self.error(tuple(self.lines))


@attrs.define(slots=True, eq=False)
class Table:
    """One mapping on its way to a value.

    Args:
        tree: as parsed.
        path: where it stands, such as `schedule "backup"`; empty for the whole.
        problems: where what is wrong is noted.
    """

    tree: Mapping[str, object]
    path: str
    problems: Problems
    _asked: dict[str, None] = attrs.field(factory=dict, init=False)  # a dict keeps the order for the hint

    def __contains__(self, key: str) -> bool:
        return key in self.tree

    def at(self, key: str) -> str:
        """Return the path of a key."""
        shown = key if _BARE.fullmatch(key) else show(key)
        joint = " " if self.path.endswith(":") else "."  # `scheduler.local.toml: scheduler.store`
        return f"{self.path}{joint}{shown}" if self.path else shown

    def knows(self, *keys: str) -> None:
        """Note that these keys are meant to be here, whether or not they are read."""
        self._asked.update(dict.fromkeys(keys))

    def take(self, key: str, read: Reader[T], default: D) -> T | D:
        """Return the value of a key as `read` understands it; the default when it is not there, or wrong."""
        self.knows(key)
        if key not in self.tree:
            return default
        try:
            return read(self.tree[key])
        except ValueError as error:
            self.problems.add(self.at(key), str(error))
            return default

    def need(self, key: str, read: Reader[T], hint: str) -> T | None:
        """Return the value of a key that must be there; None, and a problem, when it is not, or wrong."""
        if key not in self.tree:
            self.problems.add(self.at(key), f"is missing: {hint}")
        return self.take(key, read, None)

    def table(self, key: str) -> Table | None:
        """Return the mapping under a key, to be read and closed by the caller; None when there is none."""
        tree = self.take(key, mapping, None)
        return None if tree is None else Table(tree, self.at(key), self.problems)

    def judge(self, value: object, read: Reader[object]) -> None:
        """Note a problem with the table itself, such as its name, if `read` does not understand `value`."""
        try:
            read(value)
        except ValueError as error:
            self.problems.add(self.path, str(error))

    def refuse(self, key: str, reason: str) -> None:
        """Note a problem if the key is there, though it is known elsewhere."""
        self.knows(key)
        if key in self.tree:
            self.problems.add(self.at(key), reason)

    def close(self) -> None:
        """Note every key that nobody asked for."""
        for key in self.tree:
            if key not in self._asked:
                self.problems.add(self.at(key), f"unknown key{suggest(key, self._asked)}")


def suggest(word: str, known: Collection[str]) -> str:
    """Return how a line on an unknown word ends: with the nearest known one, or with all when they are few."""
    if len(word) <= WORD_MAX and len(known) <= KNOWN_MAX:
        near = get_close_matches(word, known, n=1)
        if near:
            return f"; did you mean {near[0]}?"
    if not known:
        return "; there is none"
    return f"; there is {', '.join(known)}" if len(known) <= LISTED_MAX else ""


def show(value: object) -> str:
    """Return a mistaken value as a person wrote it, shortened and on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            text = '"' + ascii(value[:SHOWN_MAX])[1:-1] + '"' if not value.isprintable() else f'"{value}"'
        case datetime() | date() | time():
            text = value.isoformat()
        case Mapping():
            return "a table"
        case list():
            return "a list"
        case _:
            text = _number(value)
    return text if len(text) <= SHOWN_MAX + 2 else text[:SHOWN_MAX] + "..."


def _number(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # an int of more than 4300 digits
        return "that number"


def text(value: object) -> str:
    """Read text."""
    if isinstance(value, str):
        return value
    raise ValueError(f'{show(value)} is no text: put it between quotes, like "text"')


def flag(value: object) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"{show(value)} is neither true nor false")


def integer(value: object) -> int:
    """Read a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{show(value)} is no whole number: write it like 5")


def number(value: object) -> float:
    """Read a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{show(value)} is too large") from None
    raise ValueError(f"{show(value)} is no number: write it like 1.5")


def seconds(value: object) -> float:
    """Read a duration: text such as `1h30m`, or a number of seconds."""
    if isinstance(value, str) and len(value) <= TEXT_MAX:
        return parse_duration(value)
    try:
        return number(value)
    except ValueError:
        raise ValueError(f'{show(value)} is no duration: write it like "90s", "5m", "2h", "1h30m" or "1d"') from None


def moment(value: object) -> int:
    """Read an instant: ISO 8601 text with an offset or `Z`, or an aware datetime of TOML."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= TEXT_MAX else value
    except ValueError:
        found = value
    if not isinstance(found, datetime):
        raise ValueError(f"{show(value)} is no instant: write it like 2026-12-24T18:00:00+01:00")
    if found.utcoffset() is None:
        raise ValueError(f"{show(value)} names no instant without an offset from UTC: end it with +01:00 or Z")
    return instant(instant(found))  # read again as a number: offsets reach beyond the years 1 to 9999


def mapping(value: object) -> Mapping[str, object]:
    """Read a table, its values still to be read."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"key {show(key)} is no text")
        return value
    raise ValueError(f"{show(value)} is no table: write it like {{ key = value }}")


def within(read: Reader[float], least: float, most: float) -> Reader[float]:
    """Return a reader of numbers between two bounds, both allowed."""

    def read_within(value: object) -> float:
        found = read(value)
        if least <= found <= most:  # NaN is not between anything
            return found
        raise ValueError(f"{show(value)} is outside {least:g} to {most:g}")

    return read_within


def whole(least: int, most: int | None = None) -> Reader[int]:
    """Return a reader of whole numbers from `least` on, to `most` if given."""

    def read_whole(value: object) -> int:
        found = integer(value)
        if found >= least and (most is None or found <= most):
            return found
        allowed = f"is below {least}" if most is None else f"is outside {least} to {most}"
        raise ValueError(f"{show(value)} {allowed}")

    return read_whole


def duration(least_s: float, most_s: float) -> Reader[float]:
    """Return a reader of durations between two bounds in seconds, both allowed."""

    def read_duration(value: object) -> float:
        found = seconds(value)
        if least_s <= found <= most_s:
            return found
        raise ValueError(f"{show(value)} is outside {render_duration(least_s)} to {render_duration(most_s)}")

    return read_duration


def member(kind: type[E]) -> Reader[E]:
    """Return a reader of one word out of an enumeration."""

    def read_member(value: object) -> E:
        word = text(value)
        try:
            return kind(word)
        except ValueError:
            raise ValueError(f"{show(word)} is unknown{suggest(word, [*kind])}") from None

    return read_member


def listed(read: Reader[T]) -> Reader[list[T]]:
    """Return a reader of lists, whose items `read` understands."""

    def read_list(value: object) -> list[T]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{show(value)} is no list: put it between [ and ]")
        return [read(item) for item in value]

    return read_list
