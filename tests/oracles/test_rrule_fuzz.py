"""Any text is a recurrence rule or a refusal, in bounded time."""

from __future__ import annotations

from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.triggers import RRule

TIME_S_MAX = 2.0  # generous: nearly all take milliseconds, a search without an end takes for ever

FREQS = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]
PARTS = ["BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS", "INTERVAL"]

numbers = st.integers(-5, 60) | st.integers(-400, 400) | st.sampled_from([1, 2, 7, 366, 9973, 86_399, 99_999])
listed = st.lists(numbers, min_size=1, max_size=6).map(lambda values: ",".join(map(str, values)))
days = st.lists(st.sampled_from(["MO", "-1FR", "53SU", "6TU", "5SA", "WE", "XX"]), min_size=1, max_size=4).map(",".join)
part = st.one_of(
    st.tuples(st.sampled_from(PARTS), listed).map("=".join),
    days.map(lambda text: f"BYDAY={text}"),
    st.sampled_from(["COUNT=10000", "COUNT=2", "UNTIL=20270101", "UNTIL=99991231T235959Z", "WKST=SU", "", "X=1"]),
)
rules = st.tuples(st.sampled_from(FREQS), st.lists(part, max_size=5)).map(
    lambda both: ";".join([f"FREQ={both[0]}", *both[1]])
)
lines = st.lists(
    rules.map(lambda rule: f"RRULE:{rule}")
    | st.sampled_from(["DTSTART:20261123T223000", "DTSTART;TZID=Asia/Gaza:20261123", "EXDATE:20261123T223000Z", " ,"])
    | st.text(alphabet="DTSTARULEX;:=Z0129\r\n\t ", max_size=30),
    max_size=4,
).map("\n".join)
starts = st.sampled_from(["2026-11-23T22:30:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "2024-02-29", None])


def ask(text: str, start: str | None, instant: int) -> str:
    try:
        trigger = RRule(text, None, start)
    except InvalidTrigger as error:
        return str(error)
    following, before = trigger.next_after(instant), trigger.previous_before(instant)
    assert following is None or following > instant
    assert before is None or before < instant
    assert following is not None or before is not None
    assert trigger.count(instant - 1, instant) in (0, 1)
    return trigger.describe()


@settings(max_examples=300, deadline=None)
@given(
    text=rules | lines | st.text(max_size=300) | st.text(alphabet="FREQ=DAILY;BYMO,-0123", max_size=60),
    start=starts,
    instant=st.integers(-(10**17), 10**18),
)
def test_any_text_is_a_trigger_or_a_refusal(text: str, start: str | None, instant: int) -> None:
    """What is accepted also answers, and what is not is refused in one line."""
    began = process_time()
    answer = ask(text, start, instant)
    assert process_time() - began < TIME_S_MAX
    assert "\n" not in answer


@settings(max_examples=200, deadline=None)
@given(start=st.text(max_size=30) | st.text(alphabet="0123456789-:TWZ+. ", max_size=26) | st.datetimes().map(str))
def test_any_start_is_a_local_time_or_a_refusal(start: str) -> None:
    """A start never escapes as another error, and is kept as the time it says."""
    try:
        trigger = RRule("FREQ=HOURLY", "Europe/Prague", start, exdates=start)
    except InvalidTrigger as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert trigger.exdates == (trigger.start,)
