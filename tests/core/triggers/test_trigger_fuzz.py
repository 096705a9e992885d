"""Any text is a value or a refusal, in bounded time."""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.triggers import Cron, Weekly

TIME_S_MAX = 2.0  # generous: a refusal takes milliseconds, an endless search takes for ever

cronish = st.text(alphabet="0123456789*/-,LW#?@ \tabcjfmnrsuo", max_size=40)
fieldish = st.lists(st.text(alphabet="0123456789*/-,", min_size=1, max_size=6), min_size=5, max_size=5).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=600) | cronish | fieldish, start=st.integers(-(10**17), 10**18))
def test_any_expression_is_a_trigger_or_a_refusal(text: str, start: int) -> None:
    """What is accepted also answers, and what is not is refused in one line."""
    began = perf_counter()
    answer = ask(text, start)
    assert perf_counter() - began < TIME_S_MAX
    assert "\n" not in answer


def ask(text: str, start: int) -> str:
    try:
        trigger = Cron(text, "Europe/Prague")
    except InvalidTrigger as error:
        return str(error)
    following = trigger.next_after(start)
    assert following is None or following > start
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
