"""Recurrence rules: the examples of RFC 5545, what the RFC leaves open, and what is refused."""

from __future__ import annotations

import pickle
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import pytest

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import EARLIEST, HOUR, LATEST, as_datetime, instant, parse_instant
from trioarm.core.triggers import Fold, Gap, RRule
from trioarm.core.triggers.rrule_text import read_rule

NEW_YORK = "America/New_York"
END = parse_instant("2030-01-01T00:00:00Z")
MONTHS = dict(Jan=1, Feb=2, Mar=3, Apr=4, May=5, Jun=6, Jul=7, Aug=8, Sep=9, Oct=10, Nov=11, Dec=12)  # noqa: C408


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shown(trigger: RRule, limit: int = 1000) -> list[datetime]:
    """The first occurrences, as the clock on the wall shows them."""
    found: list[datetime] = []
    at = trigger.next_after(EARLIEST - 1)
    while at is not None and len(found) < limit:
        found.append(as_datetime(trigger.zone.to_local(at)).replace(tzinfo=None))
        at = trigger.next_after(at)
    return found


def days(text: str) -> list[date]:
    """Dates written as the RFC writes them: `1997 Sep 2 4; Oct 1`."""
    found, year, month = [], 0, 0
    for word in text.replace(";", " ").split():
        if word in MONTHS:
            month = MONTHS[word]
        elif len(word) == 4 and word.isdecimal():
            year = int(word)
        else:
            first, _, last = word.partition("-")
            found += [date(year, month, day) for day in range(int(first), int(last or first) + 1)]
    return found


# RFC 5545 3.8.5.3: rule, DTSTART where it is not 1997-09-02T09:00, dates at 09:00; a rule that goes on ends in "..."
EXAMPLES = [
    ("FREQ=DAILY;COUNT=10", "", "1997 Sep 2-11"),
    ("FREQ=DAILY;UNTIL=19971224T000000Z", "", "1997 Sep 2-30 Oct 1-31 Nov 1-30 Dec 1-23"),
    ("FREQ=DAILY;INTERVAL=2", "", "1997 Sep 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 Oct 2 4 6 ..."),
    ("FREQ=DAILY;INTERVAL=10;COUNT=5", "", "1997 Sep 2 12 22 Oct 2 12"),
    (
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "1998-01-01",
        "1998 Jan 1-31 1999 Jan 1-31 2000 Jan 1-31",
    ),
    ("FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", "1998-01-01", "1998 Jan 1-31 1999 Jan 1-31 2000 Jan 1-31"),
    ("FREQ=WEEKLY;COUNT=10", "", "1997 Sep 2 9 16 23 30 Oct 7 14 21 28 Nov 4"),
    ("FREQ=WEEKLY;UNTIL=19971224T000000Z", "", "1997 Sep 2 9 16 23 30 Oct 7 14 21 28 Nov 4 11 18 25 Dec 2 9 16 23"),
    (
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "",
        "1997 Sep 2 16 30 Oct 14 28 Nov 11 25 Dec 9 23 1998 Jan 6 20 Feb 3 17 ...",
    ),
    ("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "", "1997 Sep 2 4 9 11 16 18 23 25 30 Oct 2"),
    ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "", "1997 Sep 2 4 9 11 16 18 23 25 30 Oct 2"),
    (
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "1997-09-01",
        "1997 Sep 1 3 5 15 17 19 29 Oct 1 3 13 15 17 27 29 31 Nov 10 12 14 24 26 28 Dec 8 10 12 22",
    ),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "", "1997 Sep 2 4 16 18 30 Oct 2 14 16"),
    (
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "1997-09-05",
        "1997 Sep 5 Oct 3 Nov 7 Dec 5 1998 Jan 2 Feb 6 Mar 6 Apr 3 May 1 Jun 5",
    ),
    ("FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "1997-09-05", "1997 Sep 5 Oct 3 Nov 7 Dec 5"),
    (
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "1997-09-07",
        "1997 Sep 7 28 Nov 2 30 1998 Jan 4 25 Mar 1 29 May 3 31",
    ),
    ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-22", "1997 Sep 22 Oct 20 Nov 17 Dec 22 1998 Jan 19 Feb 16"),
    ("FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28", "1997 Sep 28 Oct 29 Nov 28 Dec 29 1998 Jan 29 Feb 26 ..."),
    ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "", "1997 Sep 2 15 Oct 2 15 Nov 2 15 Dec 2 15 1998 Jan 2 15"),
    (
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "1997-09-30",
        "1997 Sep 30 Oct 1 31 Nov 1 30 Dec 1 31 1998 Jan 1 31 Feb 1",
    ),
    (
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "1997-09-10",
        "1997 Sep 10-15 1999 Mar 10-13",
    ),
    (
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        "",
        "1997 Sep 2 9 16 23 30 Nov 4 11 18 25 1998 Jan 6 13 20 27 Mar 3 10 17 24 31 ...",
    ),
    (
        "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        "1997-06-10",
        "1997 Jun 10 Jul 10 1998 Jun 10 Jul 10 1999 Jun 10 Jul 10 2000 Jun 10 Jul 10 2001 Jun 10 Jul 10",
    ),
    (
        "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        "1997-03-10",
        "1997 Mar 10 1999 Jan 10 Feb 10 Mar 10 2001 Jan 10 Feb 10 Mar 10 2003 Jan 10 Feb 10 Mar 10",
    ),
    (
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "1997-01-01",
        "1997 Jan 1 Apr 10 Jul 19 2000 Jan 1 Apr 9 Jul 18 2003 Jan 1 Apr 10 Jul 19 2006 Jan 1",
    ),
    ("FREQ=YEARLY;BYDAY=20MO", "1997-05-19", "1997 May 19 1998 May 18 1999 May 17 ..."),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12", "1997 May 12 1998 May 11 1999 May 17 ..."),
    ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1997-03-13", "1997 Mar 13 20 27 1998 Mar 5 12 19 26 1999 Mar 4 11 18 25 ..."),
    (
        "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        "1997-06-05",
        "1997 Jun 5 12 19 26 Jul 3 10 17 24 31 Aug 7 14 21 28 1998 Jun 4 11 18 25 ...",
    ),
    ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "", "1998 Feb 13 Mar 13 Nov 13 1999 Aug 13 2000 Oct 13 ..."),
    (
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "1997-09-13",
        "1997 Sep 13 Oct 11 Nov 8 Dec 13 1998 Jan 10 Feb 7 Mar 7 Apr 11 May 9 Jun 13 ...",
    ),
    (
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1996-11-05",
        "1996 Nov 5 2000 Nov 7 2004 Nov 2 ...",
    ),
    ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04", "1997 Sep 4 Oct 7 Nov 6"),
    (
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "1997-09-29",
        "1997 Sep 29 Oct 30 Nov 27 Dec 30 1998 Jan 29 Feb 26 Mar 30 ...",
    ),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05", "1997 Aug 5 10 19 24"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05", "1997 Aug 5 17 19 31"),
    ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15", "2007 Jan 15 30 Feb 15 Mar 15 30"),
]


@pytest.mark.parametrize(("rule", "start", "text"), EXAMPLES)
def test_an_example_of_the_rfc_has_its_dates(rule: str, start: str, text: str) -> None:
    """Each rule of 3.8.5.3 happens at 09:00 in New York on the dates that stand below it."""
    expected = [datetime.combine(day, local("1997-09-02T09:00").time()) for day in days(text.removesuffix("..."))]
    trigger = RRule(rule, NEW_YORK, f"{start or '1997-09-02'}T09:00")
    found = shown(trigger, len(expected) + (not text.endswith("...")))
    assert found == expected


@pytest.mark.parametrize(
    ("rule", "times"),
    [
        ("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", "09:00 12:00 15:00"),  # with the RFC's erratum 3779
        ("FREQ=MINUTELY;INTERVAL=15;COUNT=6", "09:00 09:15 09:30 09:45 10:00 10:15"),
        ("FREQ=MINUTELY;INTERVAL=90;COUNT=4", "09:00 10:30 12:00 13:30"),
        ("FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,20,40", "09:00 09:20 09:40 10:00 10:20 10:40"),
        ("FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10", "09:00 09:20 09:40 10:00 10:20 10:40"),
    ],
)
def test_an_example_of_the_rfc_has_its_times(rule: str, times: str) -> None:
    """Periods shorter than a day begin with the one of DTSTART and go on within the hours that are allowed."""
    trigger = RRule(rule, NEW_YORK, "1997-09-02T09:00")
    assert [f"{at:%H:%M}" for at in shown(trigger, len(times.split()))] == times.split()


def starts(rule: str, start: str = "2026-11-23T22:30", timezone: str = "Europe/Prague", **more: Any) -> RRule:
    return RRule(rule, timezone, start, **more)


def at(text: str) -> int:
    return parse_instant(text)


def test_a_start_that_the_rule_does_not_mean_is_no_occurrence() -> None:
    """A Monday rule that starts on a Tuesday first happens on the Monday after; COUNT counts from there."""
    trigger = starts("FREQ=WEEKLY;BYDAY=MO;COUNT=2", "2026-11-24T22:30")
    assert shown(trigger) == [local("2026-11-30T22:30"), local("2026-12-07T22:30")]


def test_a_set_position_counts_in_the_whole_period_of_the_start() -> None:
    """The second workday of the month of the start lies before it, so the next one is in the month after."""
    trigger = starts("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2")
    assert shown(trigger, 2) == [local("2026-12-02T22:30"), local("2027-01-04T22:30")]


def test_a_week_number_alone_is_the_weekday_of_the_start() -> None:
    """What the text leaves open is that of DTSTART, here a Monday."""
    assert shown(starts("FREQ=YEARLY;BYWEEKNO=20"), 2) == [local("2027-05-17T22:30"), local("2028-05-15T22:30")]


def test_a_leap_second_is_the_one_before_it() -> None:
    """No clock here shows :60."""
    assert starts("FREQ=DAILY;BYSECOND=59,60") == starts("FREQ=DAILY;BYSECOND=59")


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20261125", "2026-11-25T22:30"),
        ("20261125T223000", "2026-11-25T22:30"),
        ("20261125T222959", "2026-11-24T22:30"),
        ("20261125T213000Z", "2026-11-25T22:30"),
        ("20261125T212959Z", "2026-11-24T22:30"),
    ],
)
def test_until_is_the_last_moment(until: str, last: str) -> None:
    """Inclusive: a date is the whole day, a local time is that of the wall, one in UTC is an instant."""
    assert shown(starts(f"FREQ=DAILY;UNTIL={until}"))[-1] == local(last)


def test_an_end_in_utc_can_lie_between_the_passes_of_a_fold() -> None:
    """02:30 happens twice in Prague on 25 October 2026; the end leaves the second out, and nothing after it counts."""
    rule, start = "FREQ=DAILY;UNTIL=20261025T010000Z", "2026-10-24T02:30"
    trigger = starts(rule, start, fold=Fold.BOTH, rdates=["2026-10-25T02:30", "2026-10-28T12:00"])
    first, second = at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")
    added = at("2026-10-28T11:00:00Z")
    assert trigger.next_after(first - 1) == first
    assert [trigger.next_after(first), trigger.next_after(second)] == [second, added]  # it was added, too
    assert [trigger.previous_before(added + 1), trigger.previous_before(added)] == [added, second]
    assert trigger.previous_before(second) == first
    assert [trigger.count(0, second), trigger.count(first, END), trigger.count(added, END)] == [3, 2, 0]
    assert [trigger.shift_at(first), trigger.shift_at(added)] == [0, 0]
    plain = starts(rule, start, fold=Fold.BOTH)
    assert [plain.next_after(first), plain.previous_before(END), plain.count(0, END)] == [None, first, 2]


def test_what_is_left_out_and_what_is_added() -> None:
    """A time left out is counted by COUNT all the same; one added twice, or of the rule, happens once."""
    trigger = starts(
        "FREQ=DAILY;COUNT=4",
        exdates=["2026-11-24T22:30", "2026-11-25T22:30", "2026-11-25T22:31", "2026-11-28T12:00"],
        rdates=["2026-11-23T22:30", "2026-11-20T12:00", "2026-11-28T12:00", datetime.fromisoformat("2026-11-27T12:00")],
    )
    expected = [
        local(text) for text in ("2026-11-20T12:00", "2026-11-23T22:30", "2026-11-26T22:30", "2026-11-27T12:00")
    ]
    assert shown(trigger) == expected
    instants = [trigger.next_after(instant((moment - timedelta(hours=2)).replace(tzinfo=UTC))) for moment in expected]
    assert [trigger.previous_before(one + 1) for one in instants if one] == instants
    assert [trigger.previous_before(one) for one in instants if one] == [None, *instants[:-1]]
    assert trigger.count(0, END) == 4


def test_by_default_a_gap_shifts_and_a_fold_counts_once() -> None:
    """02:30 in Prague's gap happens at 03:30, as calendars show it (S4.3)."""
    trigger = starts("FREQ=DAILY", "2026-03-28T02:30")
    assert [f"{moment:%d %H:%M}" for moment in shown(trigger, 3)] == ["28 02:30", "29 03:30", "30 02:30"]
    assert trigger.shift_at(at("2026-03-29T01:30:00Z")) == -HOUR
    assert (trigger.gap, trigger.fold) == (Gap.SHIFT, Fold.FIRST)
    assert starts("FREQ=DAILY", "2026-10-25T02:30").next_after(at("2026-10-25T00:30:00Z")) == at("2026-10-26T01:30:00Z")


def test_equal_meaning_is_an_equal_trigger() -> None:
    """Order, case, stated defaults and exceptions that hit nothing do not matter; start, zone and policies do."""
    trigger = starts("FREQ=WEEKLY;BYDAY=MO,WE")
    same = starts("byday=we,mo,mo;freq=weekly;INTERVAL=1;WKST=SU;BYHOUR=22", exdates=["2026-11-24T22:30"], gap="shift")
    assert trigger == same
    assert hash(trigger) == hash(same)
    assert trigger == RRule(trigger.rule, "Europe/Prague", "20261123T223000")
    for other in (
        starts("FREQ=WEEKLY;BYDAY=MO"),
        starts(trigger.rule, "2026-11-25T22:30"),
        starts(trigger.rule, timezone="Europe/Vienna"),
        starts(trigger.rule, fold=Fold.BOTH),
        starts(trigger.rule, dst=False),
        starts(trigger.rule, exdates="2026-11-25T22:30"),
        starts(trigger.rule, rdates=["2026-11-24T22:30"]),
        starts(f"{trigger.rule};UNTIL=20270101"),
        starts(f"{trigger.rule};UNTIL=20270101T000000Z"),
    ):
        assert other != trigger
    assert starts("FREQ=DAILY;COUNT=3") == starts("FREQ=DAILY;UNTIL=20261125")


def test_a_trigger_is_a_value() -> None:
    """It is copied, pickled and evolved."""
    trigger = starts("FREQ=WEEKLY", exdates=["2026-11-30T22:30"])
    assert deepcopy(trigger) == pickle.loads(pickle.dumps(trigger)) == attrs.evolve(trigger) == trigger
    assert trigger.zone.name == "Europe/Prague"


LINES = """DTSTART;TZID=Europe/Prague:20261123T223000
RRULE:FREQ=WEEKLY;BYDAY=MO,
 WE
EXDATE;TZID=Europe/Prague:20261125T223000,20261207T223000
RDATE;VALUE=DATE-TIME:20261126T120000
"""


def test_the_lines_of_a_calendar_are_a_trigger() -> None:
    """DTSTART, EXDATE and RDATE are read beside the rule; a long line goes on after a blank."""
    trigger = RRule(LINES.replace("\n", "\r\n"))
    assert trigger == RRule(
        "FREQ=WEEKLY;BYDAY=MO,WE",
        "Europe/Prague",
        "2026-11-23T22:30:00",
        exdates=["2026-11-25T22:30", "2026-12-07T22:30"],
        rdates=["2026-11-26T12:00"],
    )
    assert trigger == RRule(LINES, "Europe/Prague", "2026-11-23T22:30", exdates=["2026-11-25T22:30"])
    assert trigger == RRule("\n".join(f"  {line}" for line in LINES.splitlines()))


def test_lines_in_utc_are_in_utc_and_a_day_begins_at_midnight() -> None:
    """`Z` names a zone; a DATE is its midnight, and so are the dates left out of it."""
    assert RRule("DTSTART:20261123T223000Z\nRRULE:FREQ=DAILY").timezone == "UTC"
    assert RRule("RRULE:FREQ=DAILY", start="2026-11-23T22:30").timezone == "UTC"
    whole = RRule("DTSTART;VALUE=DATE:20261123\nFREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20261124", "Europe/Prague")
    assert shown(whole) == [local("2026-11-23"), local("2026-11-25")]
    assert whole == RRule("FREQ=DAILY;COUNT=3", "Europe/Prague", date(2026, 11, 23), exdates=date(2026, 11, 24))


def test_it_goes_by_arithmetic_to_the_last_year() -> None:
    """Far from its start a rule is as near as at its start, and after the year 9999 there is nothing."""
    trigger = RRule("FREQ=SECONDLY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=29", start="0001-01-01T00:00:03")
    leap = at("9996-02-29T00:00:00Z")
    found = trigger.next_after(leap - 1)
    assert found is not None
    assert leap <= found < leap + 7_000_000
    assert trigger.next_after(at("9996-03-01T00:00:00Z")) is None
    assert trigger.previous_before(EARLIEST) is None
    assert trigger.count(at("9995-01-01T00:00:00Z"), LATEST) in (86400 // 7, 86400 // 7 + 1)


def test_a_rare_rule_is_found_and_an_impossible_one_is_refused() -> None:
    """29 February on a Monday comes every 28 years; Mondays that are 168 hours after a Tuesday never come."""
    assert [moment.year for moment in shown(starts("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO"), 2)] == [2044, 2072]
    with pytest.raises(InvalidTrigger, match="never happens"):
        starts("FREQ=HOURLY;INTERVAL=168;BYDAY=MO", "2026-11-24T00:00")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "'' is no part: write it like FREQ=WEEKLY;BYDAY=MO,WE"),
        ("FREQ=WEEKLY;", "'' is no part"),
        ("FREQ", "'FREQ' is no part"),
        ("BYDAY=MO", "FREQ is missing: write it first"),
        ("FREQ=WEEKLY;FREQ=DAILY", "FREQ is given twice"),
        ("FREQ=WEEKLY;BYDY=MO", "'BYDY' is unknown; did you mean BYDAY?"),
        ("FREQ=FORTNIGHTLY", "FREQ: 'FORTNIGHTLY' is unknown"),
        ("FREQ=WEEKLI", "FREQ: 'WEEKLI' is unknown; did you mean WEEKLY?"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL: '0' is no number from 1 to 100000"),
        ("FREQ=DAILY;INTERVAL=1.5", "INTERVAL: '1.5' is no number"),
        ("FREQ=DAILY;COUNT=10001", "COUNT: '10001' is no number from 1 to 10000"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "COUNT and UNTIL are given: a rule ends in one way"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL: 'TOMORROW' is no time: write it like 20261123T223000"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL: '20270230' is no time"),
        ("FREQ=DAILY;UNTIL=20270101T240000", "UNTIL: '20270101T240000' is no time"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR: '24' is no number from 0 to 23"),
        ("FREQ=DAILY;BYHOUR=-1", "BYHOUR: '-1' is no number from 0 to 23"),
        ("FREQ=DAILY;BYHOUR=1,,2", "BYHOUR: '' is no number from 0 to 23"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY: '0' is no number from 1 to 31, or -31 to -1"),
        ("FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["1"] * 1001), "BYMONTHDAY: lists 1001 values: at most 1000"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=" + ",".join(map(str, range(1, 102))), "BYSETPOS: lists 101 values"),
        ("FREQ=WEEKLY;BYDAY=MX", "BYDAY: 'MX' is no day of the week: write MO, TU, WE, TH, FR, SA or SU"),
        ("FREQ=WEEKLY;BYDAY=MONDAY", "BYDAY: 'MONDAY' is no day of the week"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY: '0MO' has no place from 1 to 53"),
        ("FREQ=WEEKLY;BYDAY=2MO", "BYDAY: places such as 2MO do not go with FREQ=WEEKLY"),
        ("FREQ=YEARLY;BYWEEKNO=2;BYDAY=2MO", "BYDAY: places such as 2MO do not go with BYWEEKNO"),
        ("FREQ=MONTHLY;BYWEEKNO=2", "BYWEEKNO goes with FREQ=YEARLY alone"),
        ("FREQ=DAILY;BYYEARDAY=2", "BYYEARDAY does not go with FREQ=DAILY"),
        ("FREQ=WEEKLY;BYMONTHDAY=2", "BYMONTHDAY does not go with FREQ=WEEKLY"),
        ("FREQ=DAILY;BYSETPOS=2", "BYSETPOS chooses from what another BY part lists: add one"),
        ("FREQ=DAILY;X=" + "1" * 4096, "has more than 4096 characters"),
        ("FREQ=DAILY;BYDAY=\u00b5", "has characters that no rule has"),
        ("R\n" * 40_000, "has more than 65536 characters"),
        (5, "rrule 5 is no text: write it like FREQ=WEEKLY;BYDAY=MO,WE"),
        pytest.param(10**5000, "rrule that number is no text", id="huge"),
        ("EXRULE:FREQ=DAILY", "'EXRULE' is unknown; did you mean RRULE?"),
        ("RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "RRULE is given twice"),
        ("DTSTART:20261123T223000", "RRULE is missing: write it like RRULE:FREQ=WEEKLY;BYDAY=MO,WE"),
        ("DTSTART:2026\nRRULE:FREQ=DAILY", "DTSTART: '2026' is no time"),
        ("RRULE:FREQ=DAILY\nEXDATE:x", "EXDATE: 'X' is no time"),
        ("RRULE:FREQ=DAILY\nRDATE;VALUE=PERIOD:x", "RDATE: 'VALUE=PERIOD' is not understood"),
        ("RRULE:FREQ=DAILY\nRDATE;TZID=Europe/Pargue:x", "did you mean Europe/Prague?"),
        (
            "DTSTART;TZID=UTC:20261123\nRRULE:FREQ=DAILY\nEXDATE;TZID=Asia/Tokyo:20261124",
            "Asia/Tokyo and UTC are named",
        ),
        ("DTSTART:20261124T223000\nRRULE:FREQ=DAILY", "start: 2026-11-23 22:30:00 is given, its lines say 2026-11-24"),
        ("DTSTART;TZID=UTC:20261123T223000\nRRULE:FREQ=DAILY", "timezone: Europe/Prague is given, its lines say UTC"),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "never happens: no time from its start to the year 9999"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "never happens: no time"),
        ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2", "never happens: no time"),
        ("FREQ=DAILY;BYHOUR=1;BYSETPOS=2", "never happens: no time"),
        ("FREQ=HOURLY;BYMINUTE=1;BYSETPOS=2", "never happens: no time"),
        ("FREQ=MONTHLY;BYDAY=6MO;COUNT=3", "never happens: no time"),
        ("FREQ=DAILY;UNTIL=20261122", "never happens: its UNTIL is earlier than its first time"),
        ("FREQ=DAILY;UNTIL=20261122T000000Z", "never happens: its end and exceptions leave nothing"),
    ],
)
def test_what_is_not_understood_is_refused(rule: Any, message: str) -> None:
    """One line says where, what, and what would be right."""
    with pytest.raises(InvalidTrigger) as info:
        starts(rule)
    assert message in str(info.value)
    assert "\n" not in str(info.value)
    assert len(str(info.value)) < 250


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"start": None}, "start is missing: write it like"),
        ({"start": "2026-11-23T22:30Z"}, "start: 2026-11-23T22:30:00+00:00 has an offset"),
        ({"start": "2026-11-23T22:30:00.5"}, "start: 2026-11-23T22:30:00.500000 has a fraction"),
        ({"start": "noon"}, "start: 'noon' is no local time: write it like 2026-11-23T22:30:00"),
        ({"start": 5}, "start: 5 is no local time"),
        ({"start": "1" * 100}, "is no local time"),
        ({"exdates": ["2026-11-24"]}, "exdates: 2026-11-24 has no time of day: write it like 2026-11-24T22:30:00"),
        ({"exdates": 5}, "exdates: 5 is no local time"),
        ({"rdates": ["x"]}, "rdates: 'x' is no local time"),
        ({"rdates": ["2026-11-24T22:30"] * 1001}, "rdates: more than 1000 are a calendar of their own"),
        ({"gap": "jump"}, "gap 'jump' is unknown"),
        ({"fold": "third"}, "fold 'third' is unknown"),
        ({"timezone": "Mars/Olympus"}, "time zone 'Mars/Olympus' is unknown"),
        ({"exdates": ["2026-11-23T22:30", "2026-11-24T22:30"]}, "never happens: its end and exceptions leave nothing"),
    ],
)
def test_what_stands_beside_a_rule_is_judged(more: dict[str, Any], message: str) -> None:
    """Start, dates, zone and policies are named where they are wrong."""
    with pytest.raises(InvalidTrigger) as info:
        starts("FREQ=DAILY;COUNT=2", **more)
    assert message in str(info.value)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE;INTERVAL=2", "every 2 weeks on mon and wed at 22:30, from 23 Nov 2026"),
        ("FREQ=WEEKLY;BYMONTH=1,2", "every week on mon in jan and feb at 22:30, from 23 Nov 2026"),
        ("FREQ=DAILY;COUNT=10", "every day at 22:30, 10 times from 23 Nov 2026"),
        ("FREQ=DAILY;COUNT=1", "every day at 22:30, once from 23 Nov 2026"),
        ("FREQ=DAILY;UNTIL=20261224", "every day at 22:30, from 23 Nov 2026 until 24 Dec 2026"),
        ("FREQ=DAILY;UNTIL=20261224T120015", "every day at 22:30, from 23 Nov 2026 until 24 Dec 2026 12:00:15"),
        ("FREQ=DAILY;UNTIL=20261224T120000Z", "every day at 22:30, from 23 Nov 2026 until 2026-12-24T12:00:00Z"),
        (
            "FREQ=DAILY;INTERVAL=3;BYDAY=MO,TU,WE;BYMONTHDAY=13,-1;BYMONTH=5;BYHOUR=6,18",
            "every 3 days if it is mon to wed and it is day 13 and the last day in may at 06:30 and 18:30, "
            "from 23 Nov 2026",
        ),
        ("FREQ=MONTHLY", "every month on day 23 at 22:30, from 23 Nov 2026"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=1,15,-2",
            "every month on days 1 and 15 and the 2nd last day at 22:30, from 23 Nov 2026",
        ),
        (
            "FREQ=MONTHLY;BYDAY=1MO,-1FR,SU",
            "every month on every sun, the last fri and the 1st mon at 22:30, from 23 Nov 2026",
        ),
        ("FREQ=YEARLY", "every year on day 23 of nov at 22:30, from 23 Nov 2026"),
        ("FREQ=YEARLY;BYMONTHDAY=1", "every year on day 1 of every month at 22:30, from 23 Nov 2026"),
        ("FREQ=YEARLY;BYDAY=12SU", "every year on the 12th sun of the year at 22:30, from 23 Nov 2026"),
        ("FREQ=YEARLY;BYDAY=23SU", "every year on the 23rd sun of the year at 22:30, from 23 Nov 2026"),
        ("FREQ=HOURLY;INTERVAL=2", "every 2 hours, from 23 Nov 2026 22:30"),
        ("FREQ=MINUTELY;BYHOUR=8", "every minute in hour 8, from 23 Nov 2026 22:30"),
        ("FREQ=SECONDLY;BYHOUR=8,9;BYDAY=SA", "every second if it is sat in hours 8 and 9, from 23 Nov 2026 22:30"),
        ("FREQ=HOURLY;BYMINUTE=0,30", 'by rule "FREQ=HOURLY;BYMINUTE=0,30", from 23 Nov 2026 22:30'),
        ("FREQ=YEARLY;BYDAY=SU", 'by rule "FREQ=YEARLY;BYDAY=SU", from 23 Nov 2026 22:30'),
        ("FREQ=YEARLY;BYWEEKNO=9", 'by rule "FREQ=YEARLY;BYWEEKNO=9", from 23 Nov 2026 22:30'),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            'by rule "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", from 23 Nov 2026 22:30',
        ),
    ],
)
def test_a_rule_reads_as_english(rule: str, words: str) -> None:
    """How often, on which days, at what time, from when to when, where; what words do not make clearer is quoted."""
    assert starts(rule).describe() == f"{words}, in Europe/Prague"


def test_exceptions_are_mentioned() -> None:
    """Up to three are named, more are counted."""
    few = starts("FREQ=DAILY", exdates=["2026-12-24T22:30", "2026-12-25T22:30"], rdates=["2026-12-24T12:00"])
    assert few.describe() == (
        "every day at 22:30, from 23 Nov 2026, but not 24 Dec 2026 22:30 and 25 Dec 2026 22:30, "
        "and also 24 Dec 2026 12:00, in Europe/Prague"
    )
    many = starts("FREQ=DAILY", exdates=[f"2026-12-0{day}T22:30" for day in range(1, 5)])
    assert many.describe() == "every day at 22:30, from 23 Nov 2026, but not 4 times, in Europe/Prague"


def test_a_count_over_years_is_the_number_of_steps() -> None:
    """Whole years are added up, also where days differ from each other."""
    for rule in (
        "FREQ=HOURLY;INTERVAL=1000",
        "FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=-1;BYHOUR=3,4",
        "FREQ=DAILY;INTERVAL=9",
    ):
        trigger = starts(rule, "2020-05-06T07:08")
        found = [instant(moment.replace(tzinfo=UTC)) for moment in shown(trigger, 200)]
        assert all(one < other for one, other in pairwise(found))
        end = trigger.previous_before(at("2032-01-01T00:00:00Z"))
        assert end is not None
        steps, current = 0, trigger.next_after(0)
        while current is not None and current <= end:
            steps, current = steps + 1, trigger.next_after(current)
        assert trigger.count(0, end) == steps


def test_a_year_is_counted_from_its_first_moment() -> None:
    """New Year's midnight belongs to the new year."""
    trigger = starts("FREQ=DAILY", "2026-01-01T00:00", "UTC")
    new_year = at("2027-01-01T00:00:00Z")
    assert trigger.count(new_year - 1, new_year) == 1
    assert trigger.count(new_year, at("2027-12-31T00:00:00Z")) == 364


def test_the_calendar_ends_with_the_year_9999() -> None:
    """Nothing is asked beyond it."""
    rule = read_rule("FREQ=DAILY").starting(local("2026-11-23T22:30"))
    assert (rule.next_local(LATEST), rule.count_local(LATEST, LATEST)) == (None, 0)
    assert rule.previous_local(2 * LATEST) == rule.previous_local(LATEST)


def test_the_first_and_the_last_of_a_year_are_chosen() -> None:
    """BYSETPOS counts within the year where that is the period."""
    trigger = starts("FREQ=YEARLY;BYMONTH=3,11;BYDAY=MO,TU;BYSETPOS=1,-1")
    expected = [local(text) for text in ("2026-11-30T22:30", "2027-03-01T22:30", "2027-11-30T22:30")]
    assert shown(trigger, 3) == expected
