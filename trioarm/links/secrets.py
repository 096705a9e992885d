"""Codes and keys: found when they are needed, handed on, kept nowhere, and shown to nobody (A5.2)."""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias
from urllib.parse import quote

import attrs

from trioarm.core.errors import ConfigurationError, TrioarmError

CODE_LENGTH_MAX: Final = 256  # characters; who keeps longer lines there has named the wrong file
KEY_LENGTH_MAX: Final = 4096  # characters of what programs show each other; tokens that carry claims are long
MASK: Final = "***"
SHORT: Final = 4  # codes of fewer characters are masked only where they stand alone: "1" is in every line

Mask: TypeAlias = Callable[[str], str]  # a text without codes and keys


@attrs.frozen(slots=True)
class SecretRef:
    """Where a code or key is to be found; never what it is (A5.2). Exactly one is set.

    Args:
        env: name of an environment variable.
        file: path of a file whose first line is the code.

    Raises:
        ConfigurationError: both are set, or none.
    """

    env: str | None = None
    file: str | None = None

    def __attrs_post_init__(self) -> None:
        if bool(self.env) == bool(self.file):
            raise ConfigurationError(("a code is in one place: name an environment variable or a file",))


class SecretUnreadable(TrioarmError):
    """A code is not where it was said to be. The message names the place, never what was found there."""


def read_code(ref: SecretRef) -> str:
    """Return a code as it stands in its place now, leading zeros and all.

    The file is read in this thread: it is a line on a local disk, and is read once per command.

    Raises:
        SecretUnreadable: the place is missing, empty, or holds no code.
    """
    code = _read(ref, "code", CODE_LENGTH_MAX)
    if not code.isprintable():  # nobody could hand it on as a line
        raise SecretUnreadable(f"{_place(ref)} holds what is no line of text: it should hold the code")
    return code


def read_key(ref: SecretRef, what: str) -> str:
    """Return what a program authenticates with, as it stands in its place now.

    Args:
        ref: where it is.
        what: what it is, such as `token`, for the message.

    Raises:
        SecretUnreadable: the place is missing, empty, or holds none.
    """
    return _read(ref, what, KEY_LENGTH_MAX)


def same_code(given: str | None, expected: str) -> bool:
    """Compare codes in a time that does not tell how much of them agrees."""
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())


def references(settings: attrs.AttrsInstance) -> dict[str, SecretRef]:
    """Return every reference to a secret that settings of a partition, or of a panel of any kind, hold, by its name."""
    values = {field.name: getattr(settings, field.name) for field in attrs.fields(type(settings))}
    return {name: value for name, value in values.items() if isinstance(value, SecretRef)}


def readable(refs: Iterable[SecretRef]) -> frozenset[str]:
    """Return the secrets that can be read now; of another, whoever needs it will say why it cannot."""
    found: set[str] = set()
    for ref in refs:
        try:
            found.add(read_key(ref, "secret"))
        except SecretUnreadable:
            continue
    return frozenset(found)


def pattern_of(codes: Iterable[str]) -> re.Pattern[str] | None:
    """Return what finds codes in a text, so that `MASK` can take their place; None where there are no codes."""
    words = sorted(codes, key=len, reverse=True)
    parts = [re.escape(word) if len(word) >= SHORT else rf"(?<!\w){re.escape(word)}(?!\w)" for word in words]
    return re.compile("|".join(parts)) if parts else None


def masking(secrets: Iterable[str]) -> Mask:
    """Return what takes secrets out of a text, however somebody spelt them who repeated them."""
    pattern = pattern_of(spelling for secret in secrets for spelling in _spellings(secret))
    return lambda text: text if pattern is None else pattern.sub(MASK, text)


def masking_of(refs: Iterable[SecretRef], code: str | None = None) -> Mask:
    """Return what takes secrets out of a text.

    Args:
        refs: where they are; those that cannot be read now cannot be repeated either.
        code: one more, that was just sent.
    """
    return masking(readable(refs) | ({code} if code else set()))


def _spellings(secret: str) -> set[str]:
    """Return how a secret looks in plain text, JSON, a URL, and a header."""
    octets = secret.encode(errors="surrogateescape")
    in_json = {json.dumps(secret, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    return {secret, *in_json, quote(octets), quote(octets, safe=""), octets.decode("latin-1")}


def _read(ref: SecretRef, what: str, longest: int) -> str:
    place = _place(ref)
    secret = _first_line(ref.file, what, longest) if ref.file else os.environ.get(ref.env or "")
    if secret is None:
        raise SecretUnreadable(f"{place} is not set: it should hold the {what}")
    if not secret or len(secret) > longest:
        fault = "is empty" if not secret else "holds too long a line"
        raise SecretUnreadable(f"{place} {fault}: it should hold the {what}")
    return secret


def _place(ref: SecretRef) -> str:
    return f"file {ref.file}" if ref.file else f"environment variable {ref.env}"


def _first_line(path: str, what: str, longest: int) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline(longest + 2).rstrip("\r\n")
    except UnicodeDecodeError:  # its text quotes the bytes, so it is not the cause of what is raised
        raise SecretUnreadable(f"file {path} is no text: its first line should be the {what}") from None
    except OSError as error:
        raise SecretUnreadable(f"file {path} cannot be read: {error.strerror}") from error
