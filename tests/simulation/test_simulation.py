"""The guarantee as a property: whatever is drawn happens to whole nodes, nothing is lost, nothing done twice (S2).

`python -m tests.simulation --minutes 30` plays more of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

import pytest

from tests.simulation.corpus import CORPUS
from tests.simulation.drawing import first_found, play_drawn
from tests.simulation.model import violations
from tests.simulation.planted import PLANTED, Planted
from tests.simulation.play import course_of
from tests.simulation.statistics import Statistics

IN_MEMORY: Final = 500  # histories of each of four seeds; several can be played side by side
ON_FILES: Final = 15  # of each of two seeds
FOUND_WITHIN: Final = 300  # histories
FLOORS: Final = {  # for each history, below half of what is drawn on average: what a seed draws varies as much
    "Put": 1.5,
    "Said": 0.2,
    "Killed": 0.2,
    "Stopped": 0.1,
    "Stalled": 0.1,
    "Stepped": 0.3,
    "corrections": 0.05,
    "run": 1.2,
    "handlers called": 6.0,
    "commit: before": 0.02,
    "commit: after": 0.02,
    "commit: refused": 0.02,
    "succeeded": 1.0,
    "timed_out": 0.2,
    "failed": 0.3,
    "missed": 0.1,
    "superseded": 0.05,
    "skipped": 0.01,
}
FLOORS_ON_FILES: Final = {"Joined": 0.5, "Stalled": 0.5, "run": 2.0, "handlers called": 0.5, "succeeded": 0.2}


@pytest.fixture(autouse=True)
def _unheard() -> Iterator[None]:
    """Nodes that are killed and stalled complain a lot."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_nothing_is_lost_and_nothing_is_done_twice(number: int) -> None:
    """On one node after the other, in memory."""
    statistics = Statistics()
    play_drawn(number, IN_MEMORY, statistics, with_files=False)
    assert statistics.counts["histories"] >= IN_MEMORY
    assert statistics.below(FLOORS) == []


@pytest.mark.parametrize("number", [1, 2])
def test_several_nodes_on_one_file_lose_nothing_and_do_nothing_twice(number: int) -> None:
    """On a real SQLite file, where runs of a stalled node are taken over."""
    statistics = Statistics()
    play_drawn(number, ON_FILES, statistics, with_files=True)
    assert statistics.counts["histories"] >= ON_FILES
    assert statistics.below(FLOORS_ON_FILES) == []


@pytest.mark.parametrize("name", CORPUS)
def test_what_was_wrong_once_stays_right(name: str) -> None:
    """Each history that did not hold, ten times: the order of tasks is drawn, too."""
    for _ in range(10):
        assert violations(course_of(CORPUS[name])) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever breaks a rule of the guarantee is told so by this simulation."""
    fault: Planted = PLANTED[name]
    fault.plant(monkeypatch)
    found = first_found(fault, FOUND_WITHIN)
    assert found is not None, f"{fault.rule}: nobody notices that {fault.what}"
