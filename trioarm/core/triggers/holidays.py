"""Holidays: the public ones of a country and its subdivisions, as the library `holidays` knows them.

The one place that asks the library. A year is an int with a bit for each day, bit 0 for 1 January. Years that the
library does not know, for most countries those before 1950 or so and after 2100, have no public holidays.
"""

from __future__ import annotations

import re
import warnings
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from trioarm.core.errors import InvalidTrigger
from trioarm.core.reading import WORD_MAX, show, suggest

if TYPE_CHECKING:
    from holidays import HolidayBase

YEARS_KEPT_MAX: Final = 4096  # years of holidays that are kept, 100 bytes each: a dozen places for all known years
COUNTRIES_KEPT_MAX: Final = 512  # more than there are countries

_CODE = re.compile(r"[A-Z]{2,3}")


def country_code(name: str) -> str:
    """Return the ISO 3166 code of a country of two letters, given that or the one of three, such as `CZ`.

    Raises:
        InvalidTrigger: there is no such country, or the library holidays is not installed.
    """
    if not isinstance(name, str):
        raise InvalidTrigger(f"country {show(name)} is no text: write a code like CZ")
    upper = name.strip().upper()
    country = _country_of(upper) if _CODE.fullmatch(upper) else None
    if country is not None:
        return country
    near = _near_country(name) if len(name) <= WORD_MAX else None
    hint = f"; did you mean {near}?" if near else ": write a code like CZ"
    raise InvalidTrigger(f"country {show(name)} is unknown{hint}")


def subdivision_code(country: str, name: str) -> str:
    """Return the code of a part of a country, given that or its name, such as `BY` or `Bayern`.

    Raises:
        InvalidTrigger: the country has no such part, or the library does not know its parts.
    """
    if not isinstance(name, str):
        raise InvalidTrigger(f"subdivision {show(name)} is no text: write a code like BY")
    codes, aliases = _subdivisions(country)
    known = {code.lower(): code for code in codes} | {alias.lower(): code for alias, code in aliases}
    wanted = name.strip().lower().removeprefix(f"{country.lower()}-")
    if wanted in known:
        return known[wanted]
    if not known:
        raise InvalidTrigger(f"subdivision {show(name)}: holidays are the same in all parts of {country}: leave it out")
    near = get_close_matches(wanted, known, n=1) if len(wanted) <= WORD_MAX else []
    hint = f"; did you mean {known[near[0]]}?" if near else suggest("", codes)
    raise InvalidTrigger(f"subdivision {show(name)} is unknown in {country}{hint}")


@lru_cache(maxsize=COUNTRIES_KEPT_MAX)
def known_years(country: str) -> range:
    """Return the years whose holidays are known."""
    entity = _entity(country)
    return range(entity.start_year, entity.end_year + 1)


@lru_cache(maxsize=YEARS_KEPT_MAX)
def public_holidays(country: str, subdivision: str | None, year: int) -> int:
    """Return the public holidays of a year that is known, as bits.

    Args:
        country: a code from `country_code`.
        subdivision: a code from `subdivision_code`; None for what all parts have in common.
        year: one of `known_years`.
    """
    first = date(year, 1, 1)
    with warnings.catch_warnings():  # that of some years it knows only a part, such as of India's after 2035
        warnings.simplefilter("ignore")
        holidays = _entity(country, subdivision, year)
    days = {(day - first).days for day in holidays if day.year == year}
    return sum(1 << day for day in days)


def _country_of(name: str) -> str | None:
    """Return the code of two letters; None where the name is no country's, such as that of a stock exchange."""
    country = getattr(getattr(_library(), name, None), "country", None)
    return country if isinstance(country, str) else None


@lru_cache(maxsize=COUNTRIES_KEPT_MAX)
def _subdivisions(country: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    entity = _entity(country)
    return tuple(entity.subdivisions), tuple(entity.subdivisions_aliases.items())


def _near_country(name: str) -> str | None:
    """Return the code of the country whose English name is nearest."""
    names = {entity.lower(): entity for entity in dir(_library()) if len(entity) > len("CZE")}
    near = get_close_matches(name.strip().lower(), names, n=1)
    return _country_of(names[near[0]]) if near else None


def _entity(country: str, subdivision: str | None = None, year: int | None = None) -> HolidayBase:
    _library()
    from holidays import country_holidays

    return country_holidays(country, subdiv=subdivision, years=year, expand=False)


def _library() -> object:
    try:
        return import_module("holidays")
    except ImportError:
        raise InvalidTrigger("holidays need the library holidays: pip install 'trioarm[calendar]'") from None
