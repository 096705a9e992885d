"""Any text in place of a calendar: a value or one line that says what is wrong, soon, whatever the text is."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.feeds.writing import ASKED, CUSTOM, calendar
from trioarm.core.errors import InvalidCalendar
from trioarm.core.triggers.calendar import EVENTS_MAX
from trioarm.feeds.ics import SIZE_MAX, read_calendar
from trioarm.feeds.patience import Patience

PATIENCE_S = 1.0
SOON_S = 15.0  # patience, and one rule that never happens, on a machine that does much else

SAMPLE = calendar(
    ["UID:a", "DTSTART;TZID=Europe/Prague:20260302T090000", "DTEND:20260302T100000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO,FR"],
    ["UID:a", "RECURRENCE-ID;TZID=Europe/Prague:20260309T090000", "DTSTART:20260310T120000", "SEQUENCE:2"],
    ["UID:b", "DTSTART;VALUE=DATE:20260302", "DURATION:P1DT0H", "RRULE:FREQ=MONTHLY;UNTIL=20270101;BYMONTHDAY=-1"],
    ["UID:c", "DTSTART;TZID=Our Own Time:20260302T090000", "RDATE;VALUE=PERIOD:20260305T090000Z/PT3H,20260401T000000Z"],
    ["DTSTART:20260302T090000Z", "RRULE:FREQ=YEARLY;COUNT=3;INTERVAL=2;BYWEEKNO=10;BYSETPOS=1", "EXDATE:20260303"],
    zones=CUSTOM,
)
LINES = SAMPLE.splitlines()
PIECES = [
    *("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "RRULE:FREQ=HOURLY;BYHOUR=1,2,3;BYSECOND=0,61"),
    *("RRULE:FREQ=YEARLY;BYDAY=54MO", "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z"),
    *("RRULE:FREQ=WEEKLY;UNTIL=00010101;WKST=SU", "RRULE:FREQ=MONTHLY;BYDAY="),
    *("RRULE:FREQ=DAILY;INTERVAL=999999999999999999999", "RRULE:FREQ=YEARLY;BYYEARDAY=366;BYSETPOS=-366"),
    *("RRULE:", "DTSTART:00010101T000000Z", "DTEND:99991231T235959Z", "DURATION:P9999999999W"),
    *("DURATION:PT99999999999S", "DTSTART;TZID=UTC:16000101", "DTSTART;TZID=../../etc/passwd:20260101T000000"),
    *("DTSTART;TZID=Our Own Time:99991231T235959", "RDATE:99991231T235959Z,16000101"),
    *("EXDATE;TZID=Europe/Prague:20260329T023000", "RECURRENCE-ID:99991231", "UID", "BEGIN:VEVENT"),
    *("END:VEVENT", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "BEGIN:STANDARD", "END:VCALENDAR", "BEGIN:VCALENDAR"),
    *(" folded", "\tfolded", ":", ";", "=", '"', 'DTSTART;X="a', "TZOFFSETTO:-2359", "TZOFFSETFROM:+235959"),
    *("\u0000", "\u2028", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "TZID:Our Own Time"),
    *("TZID:Europe/Prague", "DTSTART:16010101T030000"),
]  # fmt: skip

spots = st.integers(0, len(LINES) - 1)
mutations = st.lists(
    st.tuples(st.sampled_from(["put", "replace", "drop", "swap", "cut"]), spots, spots, st.sampled_from(PIECES)),
    max_size=6,
)


def _mutated(changes: list[tuple[str, int, int, str]]) -> str:
    lines = list(LINES)
    for kind, one, other, piece in changes:
        one, other = one % len(lines), other % len(lines)
        match kind:
            case "put":
                lines.insert(one, piece)
            case "replace":
                lines[one] = piece
            case "drop" if len(lines) > 1:
                del lines[one]
            case "swap":
                lines[one], lines[other] = lines[other], lines[one]
            case "cut":
                lines[one] = lines[one][: other % (len(lines[one]) + 1)]
    return "\r\n".join(lines)


def _is_judged(text: str | bytes) -> None:
    began, said = time.monotonic(), "events"
    try:
        events = read_calendar(text, ASKED, Patience(PATIENCE_S))
    except InvalidCalendar as error:
        said = str(error)
    else:
        assert len(events.spans) <= EVENTS_MAX
        assert all(start < ASKED.end and end >= ASKED.start for start, end in events.spans)
    assert said.isprintable()
    assert 0 < len(said) < 400
    assert time.monotonic() - began < SOON_S


@settings(max_examples=120, deadline=None)
@example([("put", 17, 0, "TZOFFSETTO:-2359")])
@example(
    [
        ("put", LINES.index("TZOFFSETTO:+0230"), 0, "TZOFFSETTO:-2359"),
        ("drop", LINES.index("TZOFFSETTO:+0230") + 1, 0, ""),
    ]
)
@given(mutations)
def test_a_calendar_with_mistakes_is_judged(changes: list[tuple[str, int, int, str]]) -> None:
    """Lines that are put in, left out, cut and exchanged."""
    _is_judged(_mutated(changes))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["DTSTART", "RRULE", "RDATE", "EXDATE", "DURATION", "RECURRENCE-ID", "DTEND", "SEQUENCE"]),
    st.text(max_size=40),
)
def test_any_value_is_judged(name: str, value: str) -> None:
    """Whatever stands behind the name of a property."""
    first = [] if name == "DTSTART" else ["DTSTART:20260302T090000Z"]
    _is_judged(calendar([*first, f"{name}:{value}"]))
    _is_judged(calendar([*first, f"{name};TZID={value}"]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY", "FREQ=HOURLY"]),
            st.tuples(
                st.sampled_from(
                    [
                        "COUNT",
                        "INTERVAL",
                        "BYSECOND",
                        "BYMINUTE",
                        "BYHOUR",
                        "BYMONTHDAY",
                        "BYYEARDAY",
                        "BYWEEKNO",
                        "BYMONTH",
                        "BYSETPOS",
                    ]
                ),
                st.lists(st.integers(-367, 367), min_size=1, max_size=3),
            ).map(lambda part: f"{part[0]}={','.join(map(str, part[1]))}"),
            st.sampled_from(
                ["BYDAY=MO", "BYDAY=-5SU,1MO", "BYDAY=TU,WE,TH", "WKST=SU", "UNTIL=20270101", "UNTIL=20260401T000000"]
            ),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(
        ["DTSTART:20260302T090000Z", "DTSTART;VALUE=DATE:20240229", "DTSTART;TZID=Europe/Prague:19000131T023000"]
    ),
)
def test_any_rule_is_judged(parts: list[str], start: str) -> None:
    """Rules of all the parts there are, with numbers that mean something and numbers that do not."""
    _is_judged(calendar([start, f"RRULE:{';'.join(parts)}"]))


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(), st.binary()))
def test_any_text_is_judged(text: str | bytes) -> None:
    """Also bytes that are no text at all."""
    _is_judged(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n" * SIZE_MAX, id="empty lines"),
        pytest.param(" " * SIZE_MAX, id="one line of spaces"),
        pytest.param("BEGIN:VCALENDAR\n" + " x\n" * (SIZE_MAX // 4), id="one folded line"),
        pytest.param("BEGIN:VCALENDAR\n" + "BEGIN:X\nEND:X\n" * (SIZE_MAX // 16), id="components"),
        pytest.param(("BEGIN:VCALENDAR\nEND:VCALENDAR\n" * (SIZE_MAX // 30)), id="calendars"),
        pytest.param("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;" + 'X="a";' * (SIZE_MAX // 8), id="parameters"),
        pytest.param("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;" + "X=a;" * 30_000 + ":1\n", id="parameters that fit"),
        pytest.param(calendar(["DTSTART:20260101", "RDATE:" + "20260101," * 9_000]), id="dates"),
        pytest.param(
            calendar(*[["DTSTART:20260101", f"RRULE:FREQ=DAILY;COUNT=2;INTERVAL={n + 1}"] for n in range(5_000)]),
            id="rules",
        ),
        pytest.param(
            calendar(*[["UID:a", f"RECURRENCE-ID:2026010{n % 9 + 1}", "DTSTART:20260310"] for n in range(9_000)]),
            id="instead",
        ),
    ],
)
def test_a_large_text_is_judged_soon(text: str) -> None:
    """As large as a calendar may be, of whatever may cost something."""
    _is_judged(text[:SIZE_MAX])


def test_the_sample_without_mistakes_is_a_calendar() -> None:
    """What is changed at random is right before."""
    assert len(read_calendar(SAMPLE, ASKED).spans) > 100
