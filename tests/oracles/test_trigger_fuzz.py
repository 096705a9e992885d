"""Any text is a value or a refusal, in bounded time."""

from __future__ import annotations

from contextlib import suppress
from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidSchedule, InvalidTrigger
from trioarm.core.forms import Around, read_trigger, write_trigger
from trioarm.core.reading import Problems, Table
from trioarm.core.triggers import Cron, Interval, Monthly, Trigger, Weekly, Yearly

TIME_S_MAX = 2.0  # generous: a refusal takes milliseconds, an endless search takes for ever

cronish = st.text(alphabet="0123456789*/-,LW#?@ \tabcjfmnrsuo", max_size=40)
fieldish = st.lists(st.text(alphabet="0123456789*/-,", min_size=1, max_size=6), min_size=5, max_size=7).map(" ".join)
MONTH_ITEMS = ["*", "?", "L", "LW", "L-1", "L-30", "31W", "1w", "15", "29", "*/7", "2-1"]
ITEMS = [*MONTH_ITEMS, "fri#5", "5L", "sun#L", "+fri", "feb", "2199"]
dayish = st.lists(st.sampled_from(ITEMS) | st.lists(st.sampled_from(ITEMS), max_size=3).map(",".join), max_size=8).map(
    " ".join
)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=600) | cronish | fieldish | dayish, start=st.integers(-(10**17), 10**18))
def test_any_expression_is_a_trigger_or_a_refusal(text: str, start: int) -> None:
    """What is accepted also answers, and what is not is refused in one line."""
    began = process_time()
    answer = ask(text, start)
    assert process_time() - began < TIME_S_MAX
    assert "\n" not in answer


def ask(text: str, start: int) -> str:
    try:
        trigger = Cron(text, "Europe/Prague")
    except InvalidTrigger as error:
        return str(error)
    return asked(trigger, start)


def asked(trigger: Trigger, start: int) -> str:
    """Ask a trigger everything, and return how it reads."""
    following, earlier = trigger.next_after(start), trigger.previous_before(start)
    assert following is None or following > start
    assert earlier is None or earlier < start
    assert following is None or trigger.previous_before(following + 1) == following
    assert following is None or trigger.count(start, following) == 1
    return trigger.describe()


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=80) | st.text(alphabet="EuropeAmerica/_.\\", max_size=20))
def test_any_zone_is_known_or_refused(name: str) -> None:
    """A zone's name never escapes as another error."""
    with suppress(InvalidTrigger):
        assert Cron("* * * * *", name).timezone == name


@settings(max_examples=200, deadline=None)
@given(
    day=st.text(max_size=12) | st.sampled_from(["mon", "FRIDAY", "s\u00fcn"]),
    at=st.text(max_size=12) | st.text(alphabet="0123456789:", max_size=9),
)
def test_any_day_and_time_is_a_trigger_or_a_refusal(day: str, at: str) -> None:
    """A weekly trigger is understood or refused, whatever was typed."""
    with suppress(InvalidTrigger):
        assert Weekly([day], at).next_after(0) is not None


anything = (
    st.text(max_size=12)
    | st.integers()
    | st.none()
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.datetimes()
    | st.sampled_from(["last", "2nd tue", "last workday", "feb", "2026-02-28", "clamp", 10**400])
)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([Monthly, Yearly]),
    values=st.lists(anything | st.lists(anything, max_size=3), min_size=2, max_size=3),
    keywords=st.dictionaries(st.sampled_from(["months", "month_end"]), anything | st.lists(anything, max_size=3)),
    at=st.just("02:30") | anything,
)
def test_any_day_of_a_month_is_a_trigger_or_a_refusal(
    kind: type[Monthly | Yearly], values: list[object], keywords: dict[str, object], at: object
) -> None:
    """Whatever is given for days, months, times and policies."""
    days = values[:1] if kind is Monthly else values[:2]
    if kind is Yearly:
        keywords.pop("months", None)
    with suppress(InvalidTrigger):
        assert "\n" not in asked(kind(*days, at, **keywords), 0)


@settings(max_examples=300, deadline=None)
@given(
    step=st.dictionaries(st.sampled_from(["days", "weeks", "months", "years"]), st.integers(1, 200) | anything),
    start=st.dates() | anything,
    at=st.just("02:30") | anything,
    month_end=st.sampled_from(["clamp", "skip"]) | anything,
    asked_at=st.integers(-(10**17), 10**18),
)
def test_any_interval_is_a_trigger_or_a_refusal(
    step: dict[str, object], start: object, at: object, month_end: object, asked_at: int
) -> None:
    """Whatever is given, and over all the years there are."""
    began = process_time()
    with suppress(InvalidTrigger):
        assert "\n" not in asked(Interval(**step, start=start, at=at, month_end=month_end), asked_at)
    assert process_time() - began < TIME_S_MAX


hostile = st.recursive(
    anything, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
KEYS = ["day", "month", "months", "month_end", "at", "days", "weeks", "years", "start", "period", "anchor"]


@settings(max_examples=300, deadline=None)
@given(
    key=st.sampled_from(["cron", "monthly", "yearly", "every"]),
    tree=hostile | st.dictionaries(st.sampled_from(KEYS), hostile, max_size=5),
)
def test_any_form_is_a_trigger_or_a_list_of_problems(key: str, tree: object) -> None:
    """Nothing that a file may hold escapes as another error; what is read is written and read again as the same."""
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table({key: tree}, "schedule", problems)
    found = read_trigger(table, Around())
    table.close()
    assert (found is None) == bool(problems.lines)
    if found is not None:
        again = Table(write_trigger(found), "schedule", problems)
        assert read_trigger(again, Around()) == found
