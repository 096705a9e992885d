"""Cron fields on naive times, against an independent implementation."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import instant
from trioarm.core.triggers import Cron

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def fields(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """Texts of one field that both cronsim and trioarm define."""
    number = st.integers(low, high).map(str)
    named = st.sampled_from(names) if names else number
    pair = st.tuples(st.integers(low, high), st.integers(low, high)).filter(lambda ends: ends[0] < ends[1])
    step = st.integers(1, high)
    ranges = pair.map(lambda ends: f"{ends[0]}-{ends[1]}")
    stepped = st.tuples(ranges | st.just("*"), step).map(lambda parts: f"{parts[0]}/{parts[1]}")
    item = number | named | ranges | stepped
    return st.just("*") | item | st.lists(item, min_size=2, max_size=4).map(",".join)


monthdays = fields(1, 31) | st.sampled_from(["L", "LW", "L,15", "1,LW", "l"])
nth = st.tuples(st.integers(0, 7), st.sampled_from(["#1", "#2", "#3", "#4", "#5", "L"])).map(lambda p: f"{p[0]}{p[1]}")
weekdays = fields(0, 7, DAYS) | nth | st.lists(nth | st.sampled_from(DAYS), min_size=2, max_size=3).map(",".join)


@settings(max_examples=250, deadline=None)
@given(
    texts=st.tuples(fields(0, 59), fields(0, 23), monthdays, fields(1, 12, MONTHS), weekdays)
    | st.tuples(fields(0, 59), fields(0, 59), fields(0, 23), monthdays, fields(1, 12, MONTHS), weekdays),
    start=st.datetimes(datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("2090-01-01")),
)
def test_fields_mean_what_cronsim_says(texts: tuple[str, ...], start: datetime) -> None:
    """On naive times the occurrences are those of an independent implementation."""
    expression = " ".join(texts)
    try:
        trigger = Cron(expression)
    except InvalidTrigger as error:
        assume("is outside" not in str(error))
        with pytest.raises((CronSimError, StopIteration)):
            next(CronSim(expression, start))
        return
    at = instant(start.replace(tzinfo=UTC))
    for expected in islice(CronSim(expression, start), 8):
        following = trigger.next_after(at)
        assert following == instant(expected.replace(tzinfo=UTC))
        assert trigger.previous_before(following + 1) == following
        assert trigger.count(at, following) == 1
        at = following
