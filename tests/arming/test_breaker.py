"""The breaker of a panel, as a table of what is asked when: how often, how soon again, and one at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioarm.arming.commanding.breaker import FAILURES_MAX, GROWTH, PAUSE_S, PAUSE_S_MAX, Breaker

DAY_S: Final = 86_400.0
PAUSES: Final = [10.0, 20.0, 40.0, 80.0, 120.0, 120.0]


def an_open_one(now: float = 0.0) -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker()
    assert [breaker.failed(now) for _ in range(FAILURES_MAX)] == [False, False, False, False, True]
    return breaker


def test_fewer_failures_than_that_keep_nobody_away() -> None:
    """A panel that answers now and then is asked as ever."""
    breaker = Breaker()
    for _ in range(3):
        for _ in range(FAILURES_MAX - 1):
            assert not breaker.failed(0.0)
            assert breaker.wait_s(0.0) == 0.0
        assert not breaker.answered()


def test_it_is_left_alone_for_longer_and_longer_and_never_for_long() -> None:
    """Each try in vain doubles the pause, up to two minutes; only the first of them is news."""
    breaker, now, found = an_open_one(), 0.0, [PAUSE_S]
    for _ in PAUSES[1:]:
        now += breaker.wait_s(now)
        assert breaker.wait_s(now) == 0.0
        assert not breaker.failed(now)
        found.append(breaker.wait_s(now))
    assert found == PAUSES


def test_an_answer_closes_it_and_what_was_before_is_forgotten() -> None:
    """The next outage begins with the shortest pause again."""
    breaker = an_open_one()
    assert not breaker.failed(10.0)
    assert breaker.answered()
    assert not breaker.answered()
    assert breaker == Breaker()
    assert breaker.wait_s(10.0) == 0.0


def test_who_asks_all_the_same_makes_the_pause_no_longer() -> None:
    """People and looks ask while it is open; whoever waits is let through when that was announced."""
    breaker = an_open_one()
    for now in (1.0, 5.0, 9.9):
        assert not breaker.failed(now)
        assert breaker.wait_s(now) == pytest.approx(10.0 - now)
    assert breaker.wait_s(10.0) == 0.0


def test_one_at_a_time_is_let_through() -> None:
    """While one asks, the others wait as long as they will have to if that is in vain."""
    breaker = an_open_one()
    breaker.asking = 1
    assert breaker.wait_s(10.0) == 20.0
    breaker.asking = 0
    assert breaker.wait_s(10.0) == 0.0


def test_while_it_is_closed_any_number_asks_at_once() -> None:
    breaker = Breaker(asking=7, failures=FAILURES_MAX - 1)
    assert breaker.wait_s(0.0) == 0.0


@given(st.lists(st.floats(min_value=0.1, max_value=300.0), min_size=200, max_size=400), st.floats(0, 7200))
def test_however_often_runs_come_a_dead_panel_is_asked_seldom_and_a_living_one_soon(
    gaps: list[float], outage_s: float
) -> None:
    """Questions in an outage grow with its pauses, not with the runs; and it is over two minutes after its end."""
    breaker, now, asked = Breaker(), 0.0, []
    for gap in gaps:
        now += gap
        if now < outage_s:
            if not breaker.wait_s(now):
                asked.append(now)
                breaker.failed(now)
            assert breaker.wait_s(now) <= PAUSE_S_MAX + 1e-6
        elif now >= outage_s + PAUSE_S_MAX:
            assert breaker.wait_s(now) <= 1e-6
    most = FAILURES_MAX + len(PAUSES) + outage_s / PAUSE_S_MAX
    assert len(asked) <= most
    tries = asked[FAILURES_MAX - 1 :]
    for number, (before, after) in enumerate(pairwise(tries)):
        assert after - before >= min(PAUSE_S_MAX, PAUSE_S * GROWTH**number) - 1e-6


def test_a_run_may_put_itself_off_for_a_whole_day() -> None:
    """A run snoozes 1 000 times at most, and must outwait the longest outage it can be carried out after (A2.3)."""
    assert len(PAUSES) + DAY_S / PAUSE_S_MAX < 1_000
