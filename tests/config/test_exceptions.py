"""Exceptions of a file: what is understood, and what is said of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arming.test_exceptions import TOML
from tests.config.writing import config_of, problems_of
from trioarm.arming.model import Effect, ExceptionRule, Target

SCOPE = 'schedule = "night"'


def a_file(text: str) -> str:
    """Return a file with an exception."""
    return f"{TOML}\n[[exception]]\n{text}\n"


def test_all_that_can_be_said(tmp_path: Path) -> None:
    """Dates as text or as TOML has them; the author is the file where nobody else is."""
    text = a_file('on = 2026-12-24\ntag = "evening"\nat = "8:05"\ntarget = "armed_away"\nnote = "guests"')
    text += (
        '[[exception]]\non = "2026-12-24T18:00..2026-12-26T10:00"\nsite = "home"\nvacation = true\nauthor = "anna"\n'
    )
    text += '[[exception]]\non = "2026-12-27"\nschedule = "night"\ntreat_as = "workday"\n'
    text += '[[exception]]\non = "2026-12-28"\nschedule = "night"\nskip = true\n'
    first, vacation, treated, skipped = config_of(tmp_path, text).premises.declared_exceptions
    assert first == ExceptionRule(
        on="tag/evening",
        begins="2026-12-24",
        ends="2026-12-24",
        effect=Effect.REPLACE,
        at="08:05",
        target=Target.ARMED_AWAY,
        author="scheduler.toml",
        note="guests",
    )
    assert (vacation.effect, vacation.author, vacation.ends) == (Effect.VACATION, "anna", "2026-12-26T10:00")
    assert (treated.effect, skipped.effect) == (Effect.WORKDAY, Effect.SKIP)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{SCOPE}\nskip = true", "exception[0].on: is missing: say when, like on = "),
        (f'{SCOPE}\nskip = true\non = "yule"', 'exception[0].on: "yule" is no date: write it like 2026-12-24'),
        (f'{SCOPE}\nskip = true\non = "2026-02-30"', 'exception[0].on: "2026-02-30" is no date: day is out of range'),
        (f'{SCOPE}\nskip = true\non = "2026-12-24T25:00"', 'exception[0].on: "2026-12-24T25:00" is no date'),
        ('skip = true\non = "2026-12-24"', "exception[0]: concerns 0 things: give it one of site, tag, schedule"),
        (f'{SCOPE}\nsite = "home"\nskip = true\non = "2026-12-24"', "exception[0]: concerns 2 things"),
        (f'{SCOPE}\non = "2026-12-24"', "exception[0]: say what is otherwise: another time, another target, or"),
        (f'{SCOPE}\nskip = true\nvacation = true\non = "2026-12-24"', "exception[0]: is skip and vacation at once"),
        (f'{SCOPE}\ntreat_as = "sunday"\non = "2026-12-24"', "exception[0].treat_as: 'sunday' is no kind of day"),
        (f'{SCOPE}\nskip = true\nat = "20:00"\non = "2026-12-24"', "exception[0]: a time has no meaning beside skip"),
        (f'{SCOPE}\nskip = true\ntarget = "armed_away"\non = "2026-12-24"', "exception[0]: a target has no meaning"),
        (f'{SCOPE}\nat = "25:00"\non = "2026-12-24"', 'exception[0].at: \'25:00\' is no time of day'),
        (f'{SCOPE}\nat = "20:00"\non = "2026-12-24T10:00"', "exception[0]: 2026-12-24T10:00 to 2026-12-24T10:00"),
        (f'{SCOPE}\nat = "20:00"\non = "2026-12-24T10:00..2026-12-25"', "exception[0]: 2026-12-24T10:00 to 2026-12-25"),
        (f'{SCOPE}\nskip = true\non = "2026-12-24..2026-12-23"', "exception[0]: 2026-12-24 to 2026-12-23 ends before"),
        (f'{SCOPE}\nskip = true\non = "2026-12-24..2027-12-25"', "exception[0]: 2026-12-24 to 2027-12-25 is longer"),
        (f'{SCOPE}\nvacation = true\non = "2026-12-24"', "exception[0]: a vacation is one of a whole site: name that"),
        ('site = "home"\nvacation = true\ntarget = "disarmed"\non = "2026-12-24"', "exception[0]: a vacation that"),
        ('site = "hom"\nskip = true\non = "2026-12-24"', 'exception[0]: there is no site of that name: "hom"; did you'),
        ('tag = "evenin"\nskip = true\non = "2026-12-24"', "exception[0]: there is no schedule that arms has the tag"),
        ('site = "home"\nat = "20:00"\non = "2026-12-24"', "exception[0]: of site/home some schedules arm and others"),
        (f'{SCOPE}\nskip = true\non = "2026-12-24"\nauthor = " "', "exception[0]: "),
        (f'{SCOPE}\nskip = true\non = "2026-12-24"\nnote = "{"x" * 501}"', "exception[0]: a name has at most 100"),
        (f'{SCOPE}\nskip = true\non = "2026-12-24"\nfoo = 1', "exception[0].foo: unknown key"),
    ],
)  # fmt: skip
def test_what_is_said_wrongly(text: str, line: str, tmp_path: Path) -> None:
    """One line for each mistake, where it lies."""
    [problem] = problems_of(tmp_path, a_file(text))
    assert problem.startswith(line), problem


def test_what_is_no_list_of_tables(tmp_path: Path) -> None:
    """Nor too many of them; nor a disarm where schedules may not."""
    assert problems_of(tmp_path, TOML + "[exception]\nskip = true")[0].startswith("exception: write [[exception]]")
    assert problems_of(tmp_path, "exception = [1]\n" + TOML)[0].startswith("exception[0]: 1 is no table")
    many = "".join(a_file(f'{SCOPE}\nskip = true\non = "2026-12-24"').removeprefix(TOML) for _ in range(101))
    assert problems_of(tmp_path, TOML + many)[0].startswith("exception: 101 exceptions are too many: at most 100")
    shut = a_file(f'{SCOPE}\ntarget = "disarmed"\non = "2026-12-24"').replace("allow_disarm = true", "")
    shut = shut[: shut.index('[[schedule]]\nname = "work"')] + shut[shut.index("[[exception]]") :]
    assert problems_of(tmp_path, shut)[0].startswith("exception[0]: schedules may not disarm house: set allow_disarm")
