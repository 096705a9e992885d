"""Bounds of what a program hands in: numbers, durations, and the words of whoever changes something.

What is read out of files and JSON is checked by the readers of `reading`, which find every problem at once.
"""

from __future__ import annotations

from typing import Final

from trioarm.core.errors import InvalidSchedule
from trioarm.core.jsonable import as_json

SHOWN_MAX: Final = 40  # characters of a mistaken value that are quoted
SECONDS: Final = "a number of seconds, such as 90.0"
AUTHOR_MAX: Final = 128  # characters of the name of a person or program
DURATION_S_MAX: Final = 366 * 86400.0  # a policy longer than a year is a mistake in units
NOTE_MAX: Final = 1_000  # characters of what they say: a paragraph, so that a record stays small


def check_seconds(name: str, value: object, least: float, most: float) -> None:
    """Check a duration that may be None.

    Raises:
        InvalidSchedule: it is no number, or out of bounds.
    """
    if value is not None:
        check_number(f"{name} is", value, least, most, SECONDS)


def check_number(said: str, value: object, least: float, most: float, like: str) -> None:
    """Check a number.

    Args:
        said: how the message begins, such as `retry base_s is`.
        like: what would be right.

    Raises:
        InvalidSchedule: it is none, or out of bounds.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidSchedule(f"{said} {show(value)}: it must be {like}")
    if not least <= value <= most:  # NaN fails both comparisons
        raise InvalidSchedule(f"{said} {show(value)}: it must lie between {least:g} and {most:g}")


def check_whole(said: str, value: object, least: int, most: int | None, meaning: str = "") -> None:
    """Check a whole number.

    Raises:
        InvalidSchedule: it is none, or out of bounds.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidSchedule(f"{said} {show(value)}: it must be a whole number, such as {max(least, 5)}")
    if value < least or (most is not None and value > most):
        bounds = f"be at least {least}" if most is None else f"lie between {least} and {most}{meaning}"
        raise InvalidSchedule(f"{said} {show(value)}: it must {bounds}")


def show(value: object) -> str:
    """Quote a mistaken value, shortened."""
    try:
        text = repr(value)
    except ValueError:  # an int of more than 4300 digits
        return "that number"
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."


def check_author(author: str, note: str) -> None:
    """Check the words of a person, or of a program, about what they change.

    Raises:
        InvalidSchedule: the author is not named, or what is said is no text, too long, or cannot be kept.
    """
    for what, value, most in (("author", author, AUTHOR_MAX), ("note", note, NOTE_MAX)):
        if not isinstance(value, str):
            raise InvalidSchedule(f"{what} {show(value)}: it must be text")
        if len(value) > most:
            raise InvalidSchedule(f"{what} has {len(value)} characters: at most {most}")
        try:
            as_json(value, what=what)
        except ValueError as error:
            raise InvalidSchedule(str(error)) from error
    if not author.strip():
        raise InvalidSchedule("author is empty: say who changes it")
