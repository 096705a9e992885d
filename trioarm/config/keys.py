"""Keys: what is known of one setting, said once.

Reading, errors, `config show` and the documentation are made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, TypeAlias, TypeVar

import attrs

from trioarm.config.store_url import mask
from trioarm.core.errors import ConfigurationError
from trioarm.core.instants import render_duration
from trioarm.core.reading import duration, flag, show, text, whole

Setting: TypeAlias = bool | int | float | str | None
Judge: TypeAlias = Callable[[str], str]
S = TypeVar("S", bound=Setting)

_KEY: Final = "trioarm key"  # under which an attrs field carries what is known of it
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
_DIGITS_MAX: Final = 15  # of a number in an environment variable: more is no setting


class Kind(Enum):
    """What a setting is: how it is written in a file, and in an environment variable."""

    DURATION = "a duration"
    COUNT = "a whole number"
    FLAG = "true or false"
    TEXT = "text"


@attrs.frozen(slots=True)
class Key:
    """One setting.

    Args:
        kind: how it is written.
        what: what it does, in a few words.
        env: the environment variable that sets it; durations there are whole milliseconds.
        least: the smallest value allowed.
        most: the largest.
        live: whether a running node takes a change over.
        judge: looks at a text and returns it, or raises ValueError saying what would be right.
        allowed: what a text may be, in words; empty for any.
        sample: what to show where nothing is set.
        masked: returns a text as it may be shown.
    """

    kind: Kind
    what: str
    env: str | None = None
    least: float = 0
    most: float = 0
    live: bool = False
    judge: Judge | None = None
    allowed: str = ""
    sample: str = ""
    masked: Judge = mask

    def read(self, value: object) -> Setting:
        """Return the setting a file or a program means.

        Raises:
            ValueError: what would be right.
        """
        match self.kind:
            case Kind.DURATION:
                return duration(self.least, self.most)(value)
            case Kind.COUNT:
                return self._count(value)
            case Kind.FLAG:
                return flag(value)
            case Kind.TEXT:
                found = text(value)
                return found if self.judge is None else self.judge(found)

    def read_variable(self, value: str) -> Setting:
        """Return the setting an environment variable means.

        Raises:
            ValueError: what would be right.
        """
        match self.kind:
            case Kind.FLAG:
                if value.lower() not in _FLAGS:
                    raise ValueError(f"{show(value)} is no switch: write true, false, 1 or 0")
                return _FLAGS[value.lower()]
            case Kind.DURATION:
                found = _digits(value, "number of milliseconds: write it like 60000")
                if not self.least <= found / 1000 <= self.most:
                    bounds = f"{self.least * 1000:.0f} to {self.most * 1000:.0f} milliseconds"
                    raise ValueError(f"{found} is outside {bounds} ({self.bounds})")
                return found / 1000
            case Kind.COUNT:
                return self._count(_digits(value, "whole number: write it like 5"))
            case Kind.TEXT:
                return self.read(value)

    def render(self, value: Setting) -> str:
        """Write a value as a person would in the file; nothing secret is in it."""
        match value:
            case None:
                return "not set"
            case bool():
                return "true" if value else "false"
            case str():
                return self.masked(value)
            case _:
                return render_duration(value) if self.kind is Kind.DURATION else str(value)

    def example(self, value: Setting) -> str:
        """Write a value as TOML: a sample, or the smallest one allowed, for a setting that is not set."""
        match value:
            case None:
                sample = self.sample or f"{self.least:.0f}"
                return sample if self.kind is Kind.COUNT else f'"{sample}"'
            case str():
                return f'"{self.masked(value)}"'
            case _:
                return f'"{self.render(value)}"' if self.kind is Kind.DURATION else self.render(value)

    @property
    def bounds(self) -> str:
        """What is allowed, in words; empty for any text."""
        match self.kind:
            case Kind.DURATION:
                return f"{render_duration(self.least)} to {render_duration(self.most)}"
            case Kind.COUNT:
                return f"{self.least:.0f} to {self.most:.0f}"
            case Kind.FLAG:
                return "true or false"
            case Kind.TEXT:
                return self.allowed

    def _count(self, value: object) -> int:
        return whole(int(self.least), int(self.most))(value)


def _digits(value: str, hint: str) -> int:
    if value.isascii() and value.isdigit() and len(value) <= _DIGITS_MAX:
        return int(value)
    raise ValueError(f"{show(value)} is no {hint}")


def setting(default: S, key: Key) -> S:
    """Return an attrs field that is a setting, checked whenever one is made."""

    def check(owner: object, attribute: attrs.Attribute[S], value: S) -> None:
        if value is None and default is None:
            return
        try:
            key.read(value)
        except ValueError as error:
            raise ConfigurationError((f"{type(owner).__name__}.{attribute.name}: {error}",)) from None

    return attrs.field(default=default, validator=check, metadata={_KEY: key})


def keys_of(section: type[attrs.AttrsInstance]) -> dict[str, Key]:
    """Return the settings of a section by the name of their field; what is no setting is left out."""
    return {field.name: field.metadata[_KEY] for field in attrs.fields(section) if _KEY in field.metadata}


def file_key(field: str, key: Key) -> str:
    """Return how a file names the setting of a field: without the unit, which it writes beside the number."""
    return field.removesuffix("_s") if key.kind is Kind.DURATION else field
