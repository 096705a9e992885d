"""Codes: found when a command needs them, handed on, and kept nowhere (A5.2)."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Iterable
from typing import Final

from trioarm.arming.model import SecretRef
from trioarm.core.errors import TrioarmError

CODE_LENGTH_MAX: Final = 256  # characters; who keeps longer lines there has named the wrong file
MASK: Final = "***"
SHORT: Final = 4  # codes of fewer characters are masked only where they stand alone: "1" is in every line


class SecretUnreadable(TrioarmError):
    """A code is not where it was said to be. The message names the place, never what was found there."""


def read_code(ref: SecretRef) -> str:
    """Return a code as it stands in its place now, leading zeros and all.

    The file is read in this thread: it is a line on a local disk, and is read once per command.

    Raises:
        SecretUnreadable: the place is missing, empty, or holds no code.
    """
    if ref.env is not None:
        code, place = os.environ.get(ref.env), f"environment variable {ref.env}"
        if code is None:
            raise SecretUnreadable(f"{place} is not set: it should hold the code")
    else:
        code, place = _first_line(ref.file or ""), f"file {ref.file}"
    if not code or len(code) > CODE_LENGTH_MAX:
        fault = "is empty" if not code else "holds too long a line"
        raise SecretUnreadable(f"{place} {fault}: it should hold the code")
    if not code.isprintable():  # nobody could hand it on as a line
        raise SecretUnreadable(f"{place} holds what is no line of text: it should hold the code")
    return code


def same_code(given: str | None, expected: str) -> bool:
    """Compare codes in a time that does not tell how much of them agrees."""
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())


def pattern_of(codes: Iterable[str]) -> re.Pattern[str] | None:
    """Return what finds codes in a text, so that `MASK` can take their place; None where there are no codes."""
    words = sorted(codes, key=len, reverse=True)
    parts = [re.escape(word) if len(word) >= SHORT else rf"(?<!\w){re.escape(word)}(?!\w)" for word in words]
    return re.compile("|".join(parts)) if parts else None


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline(CODE_LENGTH_MAX + 2).rstrip("\r\n")
    except UnicodeDecodeError:  # its text quotes the bytes, so it is not the cause of what is raised
        raise SecretUnreadable(f"file {path} is no text: its first line should be the code") from None
    except OSError as error:
        raise SecretUnreadable(f"file {path} cannot be read: {error.strerror}") from error
