"""What a partition was, from its audit: held against an oracle that replays all of it for each instant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioarm.arming.audit import OBSERVED, AuditEntry
from trioarm.arming.model import Reported
from trioarm.arming.supervision.expected import Expected, Judged, Outcome, judged
from trioarm.arming.supervision.history import STATES, History, Turn

START, UNTIL = 1_000, 2_000
OPEN, SHUT, ALARM = Reported.DISARMED, Reported.ARMED_AWAY, Reported.TRIGGERED


def entry(
    after: Reported | None, before: Reported | None = None, since_at: int | None = None, verb: str = OBSERVED
) -> AuditEntry:
    return AuditEntry(
        actor="somebody",
        partition="house",
        verb=verb,
        before=before,
        after=after,
        reason="",
        correlation="",
        since_at=since_at,
    )


def history_of(*entries: tuple[int, AuditEntry], start: int = START, until: int = UNTIL) -> History:
    history = History(start, until)
    for at, each in entries:
        history.add(at, each)
    return history


def turns(*said: tuple[int, Reported]) -> History:
    return history_of(*((at, entry(state)) for at, state in said))


def test_nothing_is_known_of_what_nothing_is_on_record_of() -> None:
    """Before and after."""
    assert history_of().at(START) is None


def test_what_an_entry_says_of_the_time_before_it_counts() -> None:
    """The first one says what it was at the start; a later one, that something was missed."""
    history = history_of((1_100, entry(SHUT, OPEN)), (1_300, entry(SHUT, OPEN)))
    assert [history.at(at) for at in (1_000, 1_099, 1_100, 1_299, 1_300)] == [OPEN, OPEN, SHUT, SHUT, SHUT]
    assert [turn.at for turn in history.turns] == [1_100, 1_300, 1_300]


def test_of_a_span_before_the_first_entry_of_all_nothing_is_known() -> None:
    """Nobody looked then: whoever began in May was not found open in March."""
    assert history_of((2_000, entry(SHUT, OPEN))).at(1_999) is None
    assert history_of((2_000, entry(SHUT, OPEN)), (2_100, entry(OPEN, SHUT))).at(START) is None
    assert history_of((2_000, entry(SHUT, OPEN, since_at=1_900))).at(1_899) is OPEN


def test_what_the_panel_says_since_when_counts() -> None:
    """Only of what was observed, and never later than it was."""
    assert history_of((1_500, entry(SHUT, OPEN, since_at=1_400))).turns == [Turn(1_400, SHUT, "somebody")]
    assert history_of((1_500, entry(SHUT, OPEN, since_at=1_900))).turns[0].at == 1_500


def test_what_is_older_than_the_entry_before_it_tells_that_the_clock_was_set_back() -> None:
    """What came before it in the audit happened before it."""
    history = history_of((1_100, entry(OPEN)), (1_800, entry(SHUT)), (1_200, entry(OPEN)), (1_300, entry(SHUT)))
    assert [history.at(at) for at in (1_100, 1_250, 1_300, 1_900)] == [OPEN, OPEN, SHUT, SHUT]


def test_years_before_and_after_the_span_cost_no_memory() -> None:
    """Only its end, and its beginning, are kept of them."""
    states = (OPEN, SHUT)
    history = History(START, UNTIL)
    for number in range(4_000):
        history.add(number, entry(states[number % 2]))
    assert len(history.turns) == UNTIL - START - 1
    assert history.first == Turn(START, OPEN, "somebody")


@st.composite
def audits(draw: st.DrawFn) -> list[tuple[int, AuditEntry]]:
    known = st.none() | st.sampled_from(sorted(Reported))
    return draw(
        st.lists(
            st.tuples(st.integers(900, 2_100), st.builds(entry, known, known, st.none() | st.integers(900, 2_100))),
            max_size=12,
        )
    )


def oracle(audit: list[tuple[int, AuditEntry]], at: int) -> Reported | None:
    """Replay all of it: the last state that had begun by then, each no later than any state after it.

    What it was at first is known where the first that is told of began within the span, or before.
    """
    states: list[tuple[int, Reported]] = []
    first = None
    for when, each in audit:
        last = states[-1][1] if states else first
        since = when if each.since_at is None else min(when, each.since_at)
        if each.before in STATES and each.before is not last:
            if last is None:
                first = each.before if since < UNTIL else None
            else:
                states.append((when, each.before))
        if each.after in STATES and each.after is not (states[-1][1] if states else first):
            states.append((since, each.after))
    begun = [state for index, (when, state) in enumerate(states) if min([when, *(t for t, _ in states[index:])]) <= at]
    return begun[-1] if begun else first


@given(audits(), st.integers(START, UNTIL - 1))
def test_it_is_what_replaying_all_of_it_says(audit: list[tuple[int, AuditEntry]], at: int) -> None:
    """Whatever the clock did, and whatever of it lies before or after the span."""
    assert history_of(*audit).at(at) is oracle(audit, at)


# What was expected of it


def expected(at: int, *, closes: bool = True) -> Expected:
    return Expected(at=at, closes=closes, name="shop", early=30, late=15)


def outcome(history: History, *before: Expected, now: int = 5_000) -> tuple[Outcome, int | None]:
    """Return what became of the last of these."""
    found: Judged = judged([*before, expected(1_990)], history, now)[len(before) - 1]
    return found.outcome, found.off


def test_a_closing_is_on_time_in_its_window_and_not_outside_it() -> None:
    """Both ends belong to it."""
    for at, said in ((1_469, "early"), (1_470, "on time"), (1_515, "on time"), (1_516, "late")):
        found = outcome(turns((1_100, OPEN), (at, SHUT)), expected(1_500))
        assert found == (Outcome(said), at - 1_500), at


def test_what_is_closed_and_opened_again_is_not_closed() -> None:
    """What counts is what it is when the window ends."""
    assert outcome(turns((1_100, OPEN), (1_490, SHUT), (1_505, OPEN)), expected(1_500)) == (Outcome.FAILED, None)
    late = turns((1_100, OPEN), (1_490, SHUT), (1_505, OPEN), (1_600, SHUT))
    assert outcome(late, expected(1_500)) == (Outcome.LATE, 100)


def test_what_nobody_opened_is_closed_already() -> None:
    """Also where two closings come one after the other: the turn belongs to the nearer one."""
    assert outcome(turns((900, SHUT)), expected(1_500)) == (Outcome.ALREADY, None)
    assert outcome(turns((1_000, OPEN), (1_101, SHUT)), expected(1_100), expected(1_500)) == (Outcome.ALREADY, None)
    assert outcome(turns((1_000, OPEN), (1_350, SHUT)), expected(1_100), expected(1_500)) == (Outcome.EARLY, -150)


def test_an_alarm_is_no_opening() -> None:
    """What was armed is closed while it is in alarm."""
    history = turns((1_100, OPEN), (1_500, SHUT), (1_510, ALARM), (1_512, SHUT))
    assert outcome(history, expected(1_500)) == (Outcome.ON_TIME, 0)


def test_nothing_is_said_of_what_is_to_come_or_nobody_knows() -> None:
    """A window that has not ended may still be kept."""
    assert outcome(turns((1_100, OPEN)), expected(1_500), now=1_510) == (Outcome.COMING, None)
    assert outcome(turns((1_100, OPEN), (1_490, SHUT)), expected(1_500), now=1_495) == (Outcome.ON_TIME, -10)
    assert outcome(history_of(), expected(1_500)) == (Outcome.UNKNOWN, None)


def test_openings_are_held_to_the_same() -> None:
    """With the other state."""
    assert outcome(turns((900, SHUT), (1_505, OPEN)), expected(1_500, closes=False)) == (Outcome.ON_TIME, 5)
    assert outcome(turns((900, SHUT)), expected(1_500, closes=False)) == (Outcome.FAILED, None)
