from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.making import MINUTE, NOW, SECOND, a_run, a_schedule
from trioarm.core.changes import Finished, Requeued
from trioarm.core.errors import InvalidSchedule
from trioarm.core.queries import Document
from trioarm.core.resources import (
    NAMESPACE,
    Breaker,
    Gate,
    Gates,
    Rate,
    Resource,
    Use,
    needs_of,
    settle_use,
    went,
)
from trioarm.core.states import Reason, Step, WaitingFor

BREAKER = Breaker(failures=3, pause_s=60.0)


def _gate(resource: Resource, use: Use | None = None, held: int = 0) -> Gate:
    return Gate(resource, use or Use(), held, NOW)


def test_a_resource_of_which_little_is_said_keeps_nobody_waiting() -> None:
    """Without a limit, a gap, a rate or a breaker, any number may begin at once."""
    gate = _gate(Resource(), Use(begun=[NOW] * 9, failures=9), held=99)
    assert (gate.free_at, gate.waiting_for) == (NOW, None)


def test_a_limit_waits_for_one_to_end() -> None:
    """As many hold it as may: no instant is known at which it is free."""
    limited = Resource(limit=2)
    assert _gate(limited, held=1).waiting_for is None
    gate = _gate(limited, held=2)
    assert (gate.free_at, gate.waiting_for) == (None, WaitingFor.RESOURCE)


def test_a_gap_counts_from_the_last_beginning() -> None:
    """The next may begin so long after the last one did, whether that has ended or not."""
    gate = _gate(Resource(gap_s=5.0), Use(begun=[NOW - 3 * SECOND]))
    assert (gate.free_at, gate.waiting_for) == (NOW + 2 * SECOND, WaitingFor.RESOURCE)
    assert _gate(Resource(gap_s=5.0), Use(begun=[NOW - 5 * SECOND])).waiting_for is None


def test_a_rate_counts_the_latest_beginnings() -> None:
    """Of three within a minute, a fourth waits until the first of them is a minute old."""
    begun = [NOW - 50 * SECOND, NOW - 20 * SECOND, NOW - SECOND]
    assert _gate(Resource(rate=Rate(3, 60.0)), Use(begun=begun)).free_at == NOW + 10 * SECOND
    assert _gate(Resource(rate=Rate(4, 60.0)), Use(begun=begun)).free_at == NOW


def test_what_begins_is_counted_and_kept() -> None:
    """Each beginning is written after the one before, and no more of them than the rate looks at."""
    gates = Gates({"nas": _gate(Resource(limit=3, rate=Rate(2, 60.0)), Use(version=7, begun=[NOW - 3 * MINUTE]))})
    first, second = [gates.begin(["nas"])[0] for _ in range(2)]
    assert (first.namespace, first.key, first.expected_version) == (NAMESPACE, "nas", 7)
    assert first.body == {"begun": [NOW - 3 * MINUTE, NOW], "failures": 0, "open_until": None, "alert": None}
    assert (second.expected_version, second.body) == (
        8,
        {"begun": [NOW, NOW], "failures": 0, "open_until": None, "alert": None},
    )
    assert gates.gates["nas"].held == 2
    assert gates.closed(["nas"]) == {"nas": NOW + MINUTE}
    assert gates.closed([]) == gates.closed(["unknown"]) == {}
    assert gates.begin(["unknown"]) == []


def test_an_open_breaker_waits_and_then_lets_one_try() -> None:
    """Until its pause is over nobody begins; from then on one at a time, and nobody beside one that still works."""
    resource, use = Resource(breaker=BREAKER), Use(failures=3, open_until=NOW + MINUTE)
    assert (_gate(resource, use).free_at, _gate(resource, use).waiting_for) == (NOW + MINUTE, WaitingFor.BREAKER)
    use.open_until = NOW
    gate = _gate(resource, use)
    assert gate.waiting_for is None
    gate.begin()
    assert (gate.free_at, gate.waiting_for) == (None, WaitingFor.BREAKER)


@pytest.mark.parametrize("ahead", [SECOND, 90 * SECOND, MINUTE * 1_000_000])
@pytest.mark.parametrize(
    "resource",
    [Resource(gap_s=60.0), Resource(rate=Rate(2, 60.0)), Resource(breaker=BREAKER)],
)
def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_long(resource: Resource, ahead: int) -> None:
    """What lies further ahead than a wait can be long keeps nobody; who looks again when it said may begin (S3.3)."""
    use = Use(begun=[NOW + ahead] * 2, failures=3, open_until=None if resource.breaker is None else NOW + ahead)
    free_at = _gate(resource, use).free_at
    assert free_at is not None
    assert free_at <= NOW + 2 * MINUTE
    assert Gate(resource, use, held=0, now=free_at).waiting_for is None


def test_failures_in_a_row_open_a_breaker_and_one_success_closes_it() -> None:
    """The third opens it, another one keeps it open for longer; a success ends all of it."""
    use = Use()
    assert settle_use(use, BREAKER, went_well=True, now=NOW) is None
    assert [settle_use(use, BREAKER, went_well=False, now=NOW) for _ in range(3)] == [False, False, True]
    assert use.open_until == NOW + MINUTE
    assert settle_use(use, BREAKER, went_well=False, now=NOW + 70 * SECOND) is False
    assert (use.failures, use.open_until) == (4, NOW + 130 * SECOND)
    assert settle_use(use, BREAKER, went_well=True, now=NOW) is False
    assert (use.failures, use.open_until) == (0, None)


@pytest.mark.parametrize(
    ("step", "error", "reason", "expected"),
    [
        (Step.SUCCEED, None, None, True),
        (Step.FAIL, "no", Reason.ERROR, False),
        (Step.TIME_OUT, "slow", Reason.TIMEOUT, False),
        (Step.TIME_OUT, "slow", Reason.STUCK, False),
        (Step.FAIL, "useless", Reason.DISCARDED, None),
        (Step.FAIL, "gone", Reason.LOST, None),
        (Step.CANCEL, None, Reason.USER, None),
        (Step.OVERRIDE, None, Reason.PERSON, None),
    ],
)
def test_only_some_ends_speak_of_a_resource(
    step: Step, error: str | None, reason: Reason | None, expected: bool | None
) -> None:
    """A success speaks for it, an error or a timeout against it; what a person did, or a lost node, says nothing."""
    assert went(Finished(a_run(), 1, step, NOW, reason, error)) is expected


def test_of_attempts_that_are_followed_by_another_only_failed_ones_speak() -> None:
    """A retry after an error does; one after a loss, a snooze or what was given back do not."""
    run = a_run()
    failed = Requeued(run, 1, Step.RETRY, NOW, 1, NOW, WaitingFor.RETRY, None, "no")
    lost = Requeued(run, 1, Step.RETRY, NOW, 1, NOW, WaitingFor.RETRY, Reason.LOST)
    snoozed = Requeued(run, 1, Step.SNOOZE, NOW, 0, NOW, WaitingFor.SNOOZE)
    assert [went(step) for step in (failed, lost, snoozed)] == [False, None, None]


def test_what_is_kept_is_read_back() -> None:
    """As it was written; what cannot be understood counts as nothing."""
    use = Use(0, [NOW - 1, NOW], 2, NOW + 5, "resource/nas:breaker_open#1@2026-11-23T22:00:00Z")
    body = use.put("nas").body
    assert body is not None
    assert Use.of(Document(NAMESPACE, "nas", 1, body)) == use == attrs.evolve(use, version=1)
    nonsense: dict[str, Any] = {"begun": "x", "failures": None, "open_until": "never", "alert": 5}
    assert Use.of(Document(NAMESPACE, "nas", 4, nonsense)) == Use(4)
    assert Use.of(None) == Use(0)


def test_a_schedule_names_what_its_runs_need() -> None:
    """Only what something holds for counts; names are words, few, and not a text."""
    schedule = a_schedule(resources=["nas", "panel"])
    assert needs_of(schedule, {"panel": 1, "other": 2}) == ["panel"]
    assert list(needs_of(a_schedule(), {"panel"})) == []
    for wrong, said in (("nas", "give a list"), (["No"], "resource 'No'"), (["a"] * 9, "9 resources: at most 8")):
        with pytest.raises(InvalidSchedule, match=said):
            a_schedule(resources=wrong)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Resource(limit=0), "limit is 0"),
        (lambda: Resource(gap_s=-1.0), "gap_s is -1"),
        (lambda: Rate(0, 60.0), "rate runs is 0"),
        (lambda: Rate(1, 0.0), "rate per_s is 0"),
        (lambda: Breaker(failures=0), "breaker failures is 0"),
        (lambda: Breaker(pause_s=float("nan")), "breaker pause_s is nan"),
    ],
)
def test_what_cannot_hold_is_refused(make: Any, said: str) -> None:
    """Out of bounds is one clear line."""
    with pytest.raises(InvalidSchedule, match=said):
        make()


def test_who_keeps_a_run_waiting_is_said_in_words() -> None:
    """Those that hold it, the one that has only just begun, or a breaker; nothing where it may begin."""
    limited, broken = Resource(limit=2), Resource(breaker=BREAKER)
    assert _gate(limited, held=1).describe() == ""
    assert _gate(limited, held=2).describe() == "2 of 2 runs hold it"
    assert _gate(Resource(gap_s=5.0), Use(begun=[NOW])).describe() == "the run before it has only just begun"
    said = "3 attempts in a row failed: "
    assert _gate(broken, Use(failures=3, open_until=NOW + 1)).describe() == said + "its breaker is open"
    waiting = _gate(broken, Use(failures=3, open_until=NOW), held=1).describe()
    assert waiting == "3 attempts in a row failed, and one run tries again"
