"""Drawing: plays the histories of a seed, and finds the first of them that does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.simulation.history import History
from tests.simulation.model import violations
from tests.simulation.planted import Planted
from tests.simulation.play import course_of
from tests.simulation.statistics import Statistics
from tests.simulation.themes import histories

SEED: Final = 1
TRIES: Final = 20  # of a history that is made for a fault: the order of tasks is drawn, too
AS_DRAWN: Final = (Phase.generate,)
MADE_SMALLER: Final = (Phase.generate, Phase.shrink)  # what does not hold; that takes minutes


def play_drawn(
    number: int,
    count: int,
    statistics: Statistics,
    *,
    with_files: bool,
    about: str = "everything",
    phases: Sequence[Phase] = AS_DRAWN,
) -> None:
    """Play so many histories of a seed, about one of ABOUT.

    Raises:
        AssertionError: something does not hold.
    """

    @seed(number)
    @settings(max_examples=count, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck))
    @given(histories(with_file=with_files, about=about))
    def holds(history: History) -> None:
        course = course_of(history)
        statistics.add(course)
        assert violations(course) == []

    holds()


def first_found(fault: Planted, within: int) -> tuple[int, str] | None:
    """Return which history, counted from 1, finds a fault that is in place, and what did not hold; None for none."""
    found: list[tuple[int, str]] = []
    played = 0

    @seed(SEED)
    @settings(
        max_examples=within, deadline=None, database=None, phases=AS_DRAWN, suppress_health_check=list(HealthCheck)
    )
    @given(histories())
    def draws(history: History) -> None:
        nonlocal played
        if found:
            return
        played += 1
        found.extend((played, wrong) for wrong in _wrong(history, fault)[:1])

    if fault.made is None:
        draws()
    while fault.made is not None and not found and played < TRIES:
        played += 1
        found.extend((played, wrong) for wrong in _wrong(fault.made, fault)[:1])
    return found[0] if found else None


def _wrong(history: History, fault: Planted) -> list[str]:
    if fault.dies is None:
        return violations(course_of(history))
    wrong: list[str] = []
    try:
        wrong += violations(course_of(history))
    except* fault.dies as dead:
        wrong.append(f"a node died: {dead.exceptions[0]!r}")
    return wrong
