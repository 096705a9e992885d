"""ICS texts: when each event goes on, wherever it is and however often it comes again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count, takewhile
from zoneinfo import ZoneInfo

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.writing import ASKED, CUSTOM, NOW, calendar, read, times
from trioarm.core.errors import CalendarUnavailable, InvalidCalendar, InvalidTrigger
from trioarm.core.instants import DAY, LATEST, as_datetime, instant
from trioarm.core.triggers.calendar import EVENTS_MAX
from trioarm.feeds import ics
from trioarm.feeds.ics import SIZE_MAX, Asked, read_calendar, read_events
from trioarm.feeds.patience import Patience
from trioarm.links.threads import Thread


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(
            ["DTSTART:20260310T090000Z", "DTEND:20260310T100000Z"], ["2026-03-10T09:00/2026-03-10T10:00"], id="utc"
        ),
        pytest.param(
            ["DTSTART:20260310T090000", "DTEND:20260310T100000"], ["2026-03-10T08:00/2026-03-10T09:00"], id="floating"
        ),
        pytest.param(
            ["DTSTART;TZID=America/New_York:20260310T090000", "DURATION:PT1H30M"],
            ["2026-03-10T13:00/2026-03-10T14:30"],
            id="tzid",
        ),
        pytest.param(
            ['DTSTART;TZID="W. Europe Standard Time":20260710T090000', "DURATION:PT1H"],
            ["2026-07-10T07:00/2026-07-10T08:00"],
            id="windows",
        ),
        pytest.param(
            ["DTSTART;TZID=/freeassociation.sourceforge.net/Europe/London:20260710T090000", "DURATION:PT1H"],
            ["2026-07-10T08:00/2026-07-10T09:00"],
            id="vendor",
        ),
        pytest.param(
            ["DTSTART;TZID=Europe/Prague:20260310T090000", "DTEND;TZID=America/New_York:20260310T090000"],
            ["2026-03-10T08:00/2026-03-10T13:00"],
            id="flight",
        ),
        pytest.param(["DTSTART:20260310T090000Z"], ["2026-03-10T09:00/2026-03-10T09:00"], id="moment"),
        pytest.param(["DTSTART;VALUE=DATE:20260310"], ["2026-03-09T23:00/2026-03-10T23:00"], id="one day"),
        pytest.param(
            ["DTSTART;VALUE=DATE:20260310", "DTEND;VALUE=DATE:20260310"],
            ["2026-03-09T23:00/2026-03-10T23:00"],
            id="one day without length",
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:20260328", "DTEND;VALUE=DATE:20260331"],
            ["2026-03-27T23:00/2026-03-30T22:00"],
            id="days over the change of clocks",
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:20260329", "DURATION:P1D"], ["2026-03-28T23:00/2026-03-29T22:00"], id="23 hours"
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:20261025", "DURATION:PT0S"], ["2026-10-24T22:00/2026-10-25T23:00"], id="25 hours"
        ),
        pytest.param(
            ["DTSTART;TZID=Europe/Prague:20260329T023000", "DURATION:PT1H"],
            ["2026-03-29T01:30/2026-03-29T02:30"],
            id="in a gap",
        ),
        pytest.param(
            ["DTSTART;TZID=Europe/Prague:20261025T023000", "DURATION:PT1H"],
            ["2026-10-25T00:30/2026-10-25T01:30"],
            id="in a fold",
        ),
        pytest.param(
            ["DTSTART;TZID=Europe/Prague:20260328T220000", "DURATION:P1DT1H"],
            ["2026-03-28T21:00/2026-03-29T21:00"],
            id="a day on the wall and an hour that elapses",
        ),
        pytest.param(["DTSTART:20260310T090000Z", "DTEND:20260310T100000Z", "STATUS:CANCELLED"], [], id="cancelled"),
        pytest.param(["DTSTART:19700101T000000Z", "DTEND:19700101T100000Z"], [], id="long past"),
        pytest.param(["DTSTART:99991231T235959Z"], [], id="for ever"),
        pytest.param(
            ["DTSTART:20260101T000000Z", "DTEND:99991231T235959Z"], ["2026-01-01T00:00/2400-01-01T00:00"], id="no end"
        ),
        pytest.param(
            ["DTSTART:20260310T090000Z", "DTEND:20260310T100000Z", "SUMMARY:\ud83d", "ORGANIZER", "GEO:nonsense", "x"],
            ["2026-03-10T09:00/2026-03-10T10:00"],
            id="nothing that is not about time matters",
        ),
        pytest.param(
            [
                "DTSTART:20260310T090000Z",
                "DTEND:20260310T100000Z",
                *("BEGIN:VALARM", "TRIGGER:-PT15M", "DURATION:PT5M", "DTSTART:x", "END:VALARM"),
            ],
            ["2026-03-10T09:00/2026-03-10T10:00"],
            id="an alarm is not the event",
        ),
        pytest.param(
            ["DTSTA", " RT:202603", "\t10T090000Z", "dtend : 20260310T100000Z"],
            ["2026-03-10T09:00/2026-03-10T10:00"],
            id="folded and untidy",
        ),
    ],
)
def test_an_event_goes_on_when_it_says(event: list[str], expected: list[str]) -> None:
    """Where its zone says, or the calendar's own where it names none."""
    assert times(calendar(event)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            [
                "DTSTART;TZID=Europe/Prague:20260327T220000",
                "DTEND;TZID=Europe/Prague:20260328T060000",
                "RRULE:FREQ=DAILY;COUNT=3",
            ],
            [
                "2026-03-27T21:00/2026-03-28T05:00",
                "2026-03-28T21:00/2026-03-29T04:00",
                "2026-03-29T20:00/2026-03-30T04:00",
            ],
            id="nights keep their hours on the wall",
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:16040301", "RRULE:FREQ=YEARLY"],
            ["2026-02-28T23:00/2026-03-01T23:00", "2027-02-28T23:00/2027-03-01T23:00"],
            id="a birthday",
        ),
        pytest.param(
            ["DTSTART:20260302T090000Z", "RRULE:FREQ=WEEKLY;UNTIL=20260316T090000Z", "EXDATE:20260309T090000Z"],
            ["2026-03-02T09:00/2026-03-02T09:00", "2026-03-16T09:00/2026-03-16T09:00"],
            id="an exception",
        ),
        pytest.param(
            [
                "DTSTART;TZID=Europe/Prague:20260302T090000",
                "RRULE:FREQ=WEEKLY;UNTIL=20260324;",
                "EXDATE:20260309T080000Z",
                "EXDATE;VALUE=DATE:20260316",
            ],
            ["2026-03-02T08:00/2026-03-02T08:00", "2026-03-23T08:00/2026-03-23T08:00"],
            id="exceptions in another zone, and of a day; a last day counts to its end",
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:20260302", "RRULE:FREQ=DAILY;UNTIL=20260304T000000Z", "EXDATE:20260303T000000"],
            ["2026-03-01T23:00/2026-03-02T23:00", "2026-03-03T23:00/2026-03-04T23:00"],
            id="days with exceptions that are times",
        ),
        pytest.param(
            [
                "DTSTART:20260302T090000Z",
                "DURATION:PT1H",
                "RDATE:20260303T090000Z,20260304T090000Z",
                "RDATE;VALUE=PERIOD:20260305T090000Z/PT3H,20260306T090000Z/20260306T100000Z",
                "RDATE:",
            ],
            [
                "2026-03-02T09:00/2026-03-02T10:00",
                "2026-03-03T09:00/2026-03-03T10:00",
                "2026-03-04T09:00/2026-03-04T10:00",
                "2026-03-05T09:00/2026-03-05T12:00",
                "2026-03-06T09:00/2026-03-06T10:00",
            ],
            id="further times",
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:20260302", "RDATE:20260303T120000"],
            ["2026-03-01T23:00/2026-03-02T23:00", "2026-03-02T23:00/2026-03-03T23:00"],
            id="a further time of a day is its day",
        ),
        pytest.param(
            ["DTSTART:20260303T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=1"],
            ["2026-03-03T09:00/2026-03-03T09:00", "2026-03-09T09:00/2026-03-09T09:00"],
            id="the first time counts whatever the rule says",
        ),
        pytest.param(
            ["DTSTART:20260303T090000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"],
            ["2026-03-03T09:00/2026-03-03T09:00"],
            id="a rule that never happens",
        ),
        pytest.param(
            ["DTSTART;TZID=Asia/Tokyo:20260303T090000", "RRULE:FREQ=DAILY;UNTIL=00010101T000000Z"],
            ["2026-03-03T00:00/2026-03-03T00:00"],
            id="a rule that ended before it began",
        ),
        pytest.param(
            ["DTSTART:20260303T090000Z", "RRULE:FREQ=HOURLY;UNTIL=20260303T110000"],
            [f"2026-03-03T{hour}:00/2026-03-03T{hour}:00" for hour in ("09", "10", "11")],
            id="hourly",
        ),
    ],
)
def test_an_event_comes_again_by_its_rules(lines: list[str], expected: list[str]) -> None:
    """RRULE and RDATE bring it again, EXDATE does not."""
    assert times(calendar(lines)) == expected


WEEKLY = ["UID:a", "DTSTART;TZID=Europe/Prague:20260302T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=3"]
FIRST, SECOND, THIRD = (
    "2026-03-02T08:00/2026-03-02T09:00",
    "2026-03-09T08:00/2026-03-09T09:00",
    "2026-03-16T08:00/2026-03-16T09:00",
)
PAST = ["UID:a", "DTSTART:20260101T090000Z", "RRULE:FREQ=DAILY;COUNT=2"]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(
            [WEEKLY, ["UID:a", "RECURRENCE-ID;TZID=Europe/Prague:20260309T090000", "DTSTART:20260310T120000Z"]],
            [FIRST, "2026-03-10T12:00/2026-03-10T12:00", THIRD],
            id="moved",
        ),
        pytest.param(
            [["UID:a", "RECURRENCE-ID:20260309T080000Z", "DTSTART:20260309T080000Z", "STATUS:CANCELLED"], WEEKLY],
            [FIRST, THIRD],
            id="cancelled, in another zone, before its series",
        ),
        pytest.param(
            [WEEKLY, ["UID:a", "RECURRENCE-ID;VALUE=DATE:20260309", "DTSTART:20300101T120000Z"]],
            [FIRST, THIRD],
            id="moved out of the window, by its day",
        ),
        pytest.param(
            [PAST, ["UID:a", "RECURRENCE-ID:20260102T090000Z", "DTSTART:20260401T090000Z"]],
            ["2026-04-01T09:00/2026-04-01T09:00"],
            id="moved into the window",
        ),
        pytest.param(
            [
                WEEKLY,
                ["UID:a", "SEQUENCE:2", "RECURRENCE-ID:20260309T080000Z", "DTSTART:20260310T120000Z"],
                ["UID:a", "SEQUENCE:1", "RECURRENCE-ID:20260309T080000Z", "DTSTART:20260311T120000Z"],
            ],
            [FIRST, "2026-03-10T12:00/2026-03-10T12:00", THIRD],
            id="the latest revision counts",
        ),
        pytest.param(
            [WEEKLY, ["UID:a", "SEQUENCE:1", "DTSTART:20260401T090000Z"]],
            ["2026-04-01T09:00/2026-04-01T09:00"],
            id="a revision of the whole series",
        ),
        pytest.param(
            [
                ["UID:a", "DTSTART:20260310T090000Z"],
                ["UID:a", "DTSTART:20260311T090000Z"],
                ["DTSTART:20260312T090000Z"],
            ],
            [f"2026-03-{day}T09:00/2026-03-{day}T09:00" for day in (10, 11, 12)],
            id="events that wrongly share a name are kept",
        ),
        pytest.param(
            [
                [*WEEKLY, "EXDATE:20260309T080000Z"],
                ["UID:a", "RECURRENCE-ID:20260309T080000Z", "DTSTART:20260310T120000Z"],
            ],
            [FIRST, THIRD],
            id="what is an exception cannot be moved",
        ),
        pytest.param(
            [[*WEEKLY, "STATUS:CANCELLED"], ["UID:b", "RECURRENCE-ID:20260309T080000Z", "DTSTART:20260310T120000Z"]],
            ["2026-03-10T12:00/2026-03-10T12:00"],
            id="a cancelled series, and an exception without one",
        ),
        pytest.param(
            [
                ["UID:a", "DTSTART;VALUE=DATE:20260302", "RRULE:FREQ=DAILY;COUNT=2"],
                ["UID:a", "RECURRENCE-ID:20260302T230000Z", "DTSTART;VALUE=DATE:20260310"],
            ],
            ["2026-03-01T23:00/2026-03-02T23:00", "2026-03-09T23:00/2026-03-10T23:00"],
            id="a day moved by a time within it",
        ),
    ],
)
def test_single_events_of_a_series_are_replaced(events: list[list[str]], expected: list[str]) -> None:
    """By RECURRENCE-ID: what they were is gone, what they are is there if the window shows it."""
    assert times(calendar(*events)) == expected


def test_a_calendar_describes_its_own_zones() -> None:
    """And no other calendar knows of them: a name means what the calendar at hand says, or nothing."""
    event = [
        "DTSTART;TZID=Our Own Time:20260328T090000",
        "DURATION:PT1H",
        "RRULE:FREQ=DAILY;COUNT=2",
        "EXDATE:20260401T000000Z",
    ]
    text = calendar(event, zones=CUSTOM)
    assert times(text) == ["2026-03-28T07:30/2026-03-28T08:30", "2026-03-29T06:30/2026-03-29T07:30"]
    with pytest.raises(InvalidCalendar, match='line 4: time zone "Our Own Time" is none of the tz database'):
        read(calendar(event))
    shifted = text.replace("TZOFFSETTO:+0230", "TZOFFSETTO:+0330")
    assert times(shifted)[1] == "2026-03-29T05:30/2026-03-29T06:30"


def test_a_zone_of_the_tz_database_is_not_described_anew() -> None:
    """What a calendar says of Europe/Prague does not matter."""
    zone = [line.replace("Our Own Time", "Europe/Prague") for line in CUSTOM]
    assert times(calendar(["DTSTART;TZID=Europe/Prague:20260310T090000"], zones=zone)) == [
        "2026-03-10T08:00/2026-03-10T08:00"
    ]


def test_the_window_is_whole_days_and_shows_what_reaches_into_it() -> None:
    """A calendar read twice in one day is the same; what only touches the window is outside."""
    assert Asked.around("school", "UTC", NOW) == Asked.around("school", "UTC", NOW + 11 * 3_600_000_000)
    asked = Asked(name="a", timezone="UTC", start=NOW, end=NOW + DAY)
    inside = [
        ["DTSTART:20260301T000000Z", "DTEND:20260301T120001Z"],
        ["DTSTART:20260302T115959Z", "DTEND:20260303T000000Z"],
    ]
    outside = [["DTSTART:20260301T000000Z", "DTEND:20260301T120000Z"], ["DTSTART:20260302T120000Z"]]
    events = read(calendar(*inside, *outside, ["DTSTART:20260301T120000Z"]), asked)
    assert len(events.spans) == 3
    assert (events.name, events.known_until) == ("a", NOW + DAY)
    for now in (-62_135_596_800_000_000, LATEST):
        assert read(calendar(["DTSTART;VALUE=DATE:20260301"]), Asked.around("a", "Pacific/Apia", now)).spans == ()


def test_a_zone_that_is_none_cannot_be_asked_for() -> None:
    """The days of a calendar are somewhere."""
    with pytest.raises(InvalidTrigger, match="did you mean Europe/Prague"):
        Asked(name="a", timezone="Europe/Pragu", start=0, end=1)


DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MINUTE = timedelta(minutes=1)
BEGIN = datetime(2019, 1, 1)  # noqa: DTZ001


def _by_hand(
    first: datetime, frequency: str, interval: int, days: Sequence[int], times_: int | None, last: date
) -> list[datetime]:
    """Every wall time at which it comes, day by day."""
    found = []
    monday = first.date() - timedelta(days=first.weekday())
    for day in takewhile(lambda day: day <= last, (first.date() + timedelta(days=n) for n in count())):
        if times_ is not None and len(found) == times_:
            break
        if frequency == "DAILY":
            comes = (day - first.date()).days % interval == 0 and (not days or day.weekday() in days)
        elif frequency == "WEEKLY":
            comes = (day - monday).days // 7 % interval == 0 and day.weekday() in (days or [first.weekday()])
        else:
            months = (day.year - first.year) * 12 + day.month - first.month
            comes = months % interval == 0 and day.day == first.day
        if comes:
            found.append(datetime.combine(day, first.time()))
    return found


walls = st.integers(0, 8 * 366 * 24 * 60).map(lambda minute: BEGIN + minute * MINUTE)


@settings(max_examples=80, deadline=None)
@given(
    zone=st.sampled_from(
        ["Europe/Prague", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "Africa/Cairo"]
    ),
    first=walls,
    hours=st.integers(0, 30),
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]),
    interval=st.integers(1, 4),
    days=st.lists(st.integers(0, 6), unique=True, max_size=3),
    times_=st.none() | st.integers(1, 400),
)
def test_simple_recurrences_are_those_counted_by_hand(
    zone: str, first: datetime, hours: int, frequency: str, interval: int, days: list[int], times_: int | None
) -> None:
    """Day by day on the wall, each resolved as `zoneinfo` does it: the offset before a gap, the first of a fold."""
    days = [] if frequency == "MONTHLY" else days
    rule = f"RRULE:FREQ={frequency};INTERVAL={interval}"
    rule += f";BYDAY={','.join(DAYS[day] for day in days)}" if days else ""
    rule += f";COUNT={times_}" if times_ else ""
    event = [f"DTSTART;TZID={zone}:{first:%Y%m%dT%H%M%S}", f"DURATION:PT{hours}H", rule]
    walls = _by_hand(first, frequency, interval, days, times_, as_datetime(ASKED.end).date() + timedelta(days=2))
    if first not in walls:
        walls.append(first)
    expected = set()
    for wall in walls:
        start = instant(wall.replace(tzinfo=ZoneInfo(zone)))
        nominal = instant((wall + timedelta(days=hours // 24)).replace(tzinfo=ZoneInfo(zone))) if hours >= 24 else start
        end = nominal + hours % 24 * 3_600_000_000
        if start < ASKED.end and (end > ASKED.start or start >= ASKED.start):
            expected.add((start, end))
    assert read(calendar(event)).spans == tuple(sorted(expected))


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(["Europe/Prague", "Africa/Cairo", "America/Havana", "Pacific/Apia", "Asia/Beirut"]),
    first=st.dates(date(2011, 12, 20), date(2012, 1, 10)) | st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    length=st.integers(1, 5),
)
def test_days_are_whole_days_where_the_calendar_is(zone: str, first: date, length: int) -> None:
    """From the first minute whose local date is the first day, to the first minute whose local date is beyond."""
    asked = Asked.around("a", zone, instant(datetime.combine(first, datetime.min.time(), UTC)))
    last = first + timedelta(days=length)
    [(start, end)] = read(
        calendar([f"DTSTART;VALUE=DATE:{first:%Y%m%d}", f"DTEND;VALUE=DATE:{last:%Y%m%d}"]), asked
    ).spans or [(0, 0)]
    if start == end:
        assert (zone, first, length) == ("Pacific/Apia", date(2011, 12, 30), 1)  # the day that was left out
        return
    for edge, day in ((start, first), (end, last)):
        assert as_datetime(edge).astimezone(ZoneInfo(zone)).date() >= day
        assert as_datetime(edge - 60_000_000).astimezone(ZoneInfo(zone)).date() < day


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: nothing stands here: this is no calendar"),
        ("\r\n\r\n<html>", 'line 3: "<html>" where BEGIN:VCALENDAR should stand: this is no calendar'),
        ("BEGIN:VEVENT", "line 1: BEGIN:VEVENT where BEGIN:VCALENDAR should stand: this is no calendar"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "line 2: VEVENT begins here and does not end: the text is cut off"),
        ("BEGIN:VCALENDAR\nEND:VEVENT", "line 2: END:VEVENT where VCALENDAR of line 1 should end"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR\nx", 'line 3: "x" where BEGIN:VCALENDAR should stand: this is no calendar'),
        ("BEGIN:VCALENDAR\nBEGIN:STANDARD", "line 2: STANDARD begins inside VCALENDAR: it belongs into VTIMEZONE"),
        ("BEGIN:VCALENDAR\n" + "BEGIN:X\n" * 9, "line 9: X lies inside 8 others"),
        (calendar(["UID:a"]), "line 3: the event has no DTSTART"),
        (calendar(["DTSTART:2026"]), 'line 4: DTSTART "2026" cannot be understood'),
        (calendar(["DTSTART:P1D"]), 'line 4: DTSTART "P1D" is neither a day nor a time: write it like 20261224T180000'),
        (
            calendar(["DTSTART;TZID:20260101"]),
            'line 4: "DTSTART;TZID:20260101" is no property: write it like DTSTART:value',
        ),
        (calendar(["DTSTART:15000101"]), 'line 4: DTSTART "15000101" is before the year 1600'),
        (calendar(["DTSTART:20260101", "DTSTART:20260101"]), "line 5: a second DTSTART: the first is in line 4"),
        (
            calendar(["DTSTART;TZID=Mars:20260101T000000"]),
            'line 4: time zone "Mars" is none of the tz database, and the',
        ),
        (calendar([f"DTSTART;TZID={'M' * 200}:20260101T000000"]), "is one too many, or too long a name"),
        (calendar(["DTSTART:20260101", "DTEND:20260101T000000Z"]), "and DTSTART must both be days, or both be times"),
        (calendar(["DTSTART:20260102", "DTEND:20260101"]), 'line 5: DTEND "20260101" is before DTSTART'),
        (calendar(["DTSTART:20260102", "DURATION:-P1D"]), 'line 5: DURATION "-P1D" is no length of time'),
        (calendar(["DTSTART:20260102", "DURATION:20260101"]), 'line 5: DURATION "20260101" is no length of time'),
        (calendar(["DTSTART:20260102", "DURATION:PT5H"]), 'line 5: DURATION "PT5H" of whole days must be whole days'),
        (calendar(["DTSTART:20260102", "SEQUENCE:x"]), 'line 5: SEQUENCE "x" is no number'),
        (calendar(["DTSTART:20260102", "EXRULE:FREQ=DAILY"]), "line 5: EXRULE is not understood"),
        (
            calendar(["DTSTART:20260102", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260102"]),
            "line 5: RECURRENCE-ID with a RANGE",
        ),
        (calendar(["DTSTART:20260102", "RDATE:20260102T100000/20260101T100000"]), "is no end of a period"),
        (calendar(["DTSTART:20260102", "RDATE:20260102T100000/-P1D"]), "is no end of a period"),
        (
            calendar(["DTSTART:20260102", f"EXDATE:{','.join(['20260101'] * 10_001)}"]),
            "more than 10000 times in EXDATE",
        ),
        (calendar(["DTSTART:20260102", f"EXDATE:{'1' * 200_000}"]), "line 5: EXDATE has 200007 characters: at most"),
        (calendar(["DTSTART:20260102", *["RDATE:"] * 1_000]), "line 1004: more than 1000 properties of one VEVENT"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=SECONDLY"]), "FREQ must be HOURLY or DAILY or WEEKLY"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=MINUTELY"]), "FREQ must be HOURLY or DAILY or WEEKLY"),
        (calendar(["DTSTART:20260102", "RRULE:COUNT=1"]), "FREQ must be HOURLY or DAILY or WEEKLY"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=DAILY;INTERVAL=0"]), "INTERVAL lies outside 1 to 1000000"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=HOURLY;BYSETPOS=1"]), "HOURLY with BYSETPOS is not followed"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=MONTHLY;BYDAY=-6SU"]), "BYDAY counts to 5 at most"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=YEARLY;BYDAY=54SU"]), "BYDAY counts to 53 at most"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=DAILY;BYMONTHDAY=0"]), "BYMONTHDAY lies outside -31 to 31"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=DAILY;SKIP=OMIT"]), '"SKIP" is not understood'),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=DAILY;BYEASTER=1"]), '"BYEASTER" is not understood'),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=DAILY;UNTIL=P1D"]), "UNTIL is neither a day nor a time"),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=NEVER"]), 'line 5: RRULE "FREQ=NEVER": Expected frequency'),
        (calendar(["DTSTART:20260102", "RRULE:FREQ=DAILY;BYMONTH=5L"]), "invalid"),
        (calendar(["DTSTART:20260102", f"RRULE:{'x' * 401}"]), "line 5: RRULE has 401 characters: at most 400"),
        (calendar(["DTSTART:16000102T000000", "RRULE:FREQ=HOURLY"]), "recurs more than 200000 times: begin it later"),
        (
            calendar(["DTSTART:20260102T000000Z", "RRULE:FREQ=HOURLY"]),
            f"more than {EVENTS_MAX} events between 2026-01-30T00:00:00Z and 2027-04-05T00:00:00Z: give a smaller",
        ),
        (calendar(*[["DTSTART:19700101"]] * 20_001), "the calendar has more than 20000 events: give a smaller one"),
        ("x" * (SIZE_MAX + 1), f"a calendar has at most {SIZE_MAX} bytes, and this one has {SIZE_MAX + 1} bytes"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str) -> None:
    """One line, whatever the text is."""
    with pytest.raises(InvalidCalendar) as refused:
        read(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("TZOFFSETTO:+0230", "TZOFFSETTO:+2500", 'line 17: "+2500" is no offset from UTC: write it like +0100'),
        ("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "FREQ=SECONDLY", 'line 15: RRULE "FREQ=SECONDLY": FREQ must be YEARLY'),
        ("DTSTART:16010101T030000", "DTSTART:soon", 'line 8: "soon" is no local time: write it like 20261025T030000'),
        ("DTSTART:16010101T030000", "DTSTART:16011301", "line 3: the time zone cannot be understood"),
        ("TZOFFSETFROM:+0130", "X:y", "line 3: the time zone cannot be understood: mandatory TZOFFSETFROM not found"),
        ("TZID:Our Own Time", "TZID:Another", 'time zone "Our Own Time" is none of the tz database'),
    ],
)
def test_a_zone_that_is_described_badly_is_said(old: str, new: str, message: str) -> None:
    """If an event is in it; a line for the first mistake."""
    text = calendar(["DTSTART;TZID=Our Own Time:20260328T090000"], zones=CUSTOM)
    with pytest.raises(InvalidCalendar) as refused:
        read(text.replace(old, new))
    assert message in str(refused.value)
    assert times(calendar(["DTSTART:20260328T090000Z"], zones=CUSTOM).replace(old, new))


def test_too_many_zones_are_refused() -> None:
    """A calendar neither names nor describes more of them than there are places a person knows."""
    named = [[f"DTSTART;TZID=/{number}/UTC:20260101T000000"] for number in range(201)]
    assert read(calendar(*named[:200])).spans == ()
    with pytest.raises(InvalidCalendar, match="is one too many"):
        read(calendar(*named))
    with pytest.raises(InvalidCalendar, match="the calendar has more than 200 time zones"):
        read(calendar(zones=CUSTOM * 201))


def test_bytes_that_are_no_text_do_not_matter_where_nobody_reads_them() -> None:
    """A title in another encoding is no reason to have no calendar; a mark of the encoding is none either."""
    text = calendar(["SUMMARY:škola", "DTSTART:20260310T090000Z"])
    for encoding in ("utf-8", "utf-8-sig", "iso-8859-2"):
        assert times(text.encode(encoding)) == ["2026-03-10T09:00/2026-03-10T09:00"]
    with pytest.raises(InvalidCalendar, match="line 1: "):
        read(text.encode("utf-16"))


def test_reading_has_a_deadline() -> None:
    """A text of two hundred rules that never happen, each of which takes long to see through, is given up in time."""
    never = [["DTSTART:20260102T000000Z", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"]] * 200
    with pytest.raises(InvalidCalendar, match=r"the calendar takes longer than 0\.2 s to read"):
        read_calendar(calendar(*never), ASKED, Patience(0.2))


async def test_reading_leaves_the_loop_alone_and_can_be_cancelled() -> None:
    """The loop turns while a calendar is read, and a cancelled reading has ended when the cancellation goes on."""
    never = [["DTSTART:20260102T000000Z", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"]] * 200
    with trio.move_on_after(0.2) as scope:
        await read_events(calendar(*never), ASKED, Thread())
    assert scope.cancelled_caught
    assert await read_events(calendar(["DTSTART:20260310T090000Z"]), ASKED, Thread()) == read(
        calendar(["DTSTART:20260310T090000Z"])
    )


def test_without_the_libraries_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of them is needed before a calendar is read."""
    monkeypatch.setattr(ics, "find_spec", lambda _: None)
    with pytest.raises(
        CalendarUnavailable, match=r"calendars need icalendar, dateutil: python -m pip install 'trioarm"
    ):
        read("")
