"""The guarantee as a property: whatever is drawn happens to whole nodes, nothing is lost, nothing done twice (S2).

`python -m tests.simulation --minutes 30` plays more of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

import pytest

from tests.simulation.corpus import CORPUS
from tests.simulation.drawing import first_found, play_drawn
from tests.simulation.model import violations
from tests.simulation.planted import PLANTED, Planted
from tests.simulation.play import course_of
from tests.simulation.statistics import Statistics

SEEDS: Final = (1, 2, 3, 4)
SEEDS_ON_FILES: Final = (1, 2)
SEEDS_APART: Final = (1, 2)
IN_MEMORY: Final = 400  # histories of each seed
ON_FILES: Final = 15
APART: Final = 50  # histories of each seed that are about one thing
APART_ON_FILES: Final = 3
FOUND_WITHIN: Final = 300  # histories
FLOORS: Final = {  # for each history, about two thirds of what is drawn
    "Put": 0.8,
    "Said": 0.3,
    "Declared": 0.4,
    "told": 0.2,
    "dry runs": 0.017,
    "refused starts": 0.003,
    "waited": 0.8,
    "idle": 0.12,
    "Killed": 0.3,
    "Stopped": 0.2,
    "Stalled": 0.1,
    "Stepped": 0.12,
    "corrections": 0.03,
    "Strayed": 0.07,
    "said skip": 0.07,
    "said postpone": 0.05,
    "said undo": 0.04,
    "said pause": 0.17,
    "lacks": 0.17,
    "run": 1.4,
    "handlers called": 6.0,
    "commit: before": 0.04,
    "commit: after": 0.04,
    "commit: refused": 0.03,
    "succeeded": 2.0,
    "timed_out": 0.3,
    "failed": 0.5,
    "missed": 0.2,
    "superseded": 0.1,
    "skipped": 0.01,
}
FLOORS_ABOUT: Final = {
    "forgetting": {
        "Pruned": 0.6,
        "rows forgotten": 1.1,
        "schedules forgotten": 0.05,
        "Declared": 0.4,
        "Killed": 0.18,
        "Stopped": 0.25,
        "Stalled": 0.2,
        "Stepped": 0.07,
        "run": 1.6,
        "handlers called": 3.8,
        "succeeded": 2.5,
        "failed": 0.4,
    },
    "many": {
        "pause_all": 0.42,
        "resume_all": 0.45,
        "cancel_all": 0.15,
        "all changed": 0.75,
        "all unchanged": 0.8,
        "all refused": 0.18,
        "Killed": 0.09,
        "Stopped": 0.035,
        "Stalled": 0.15,
        "Stepped": 0.13,
        "run": 1.1,
        "handlers called": 3.3,
        "succeeded": 0.9,
    },
    "resizing": {
        "Resized": 0.7,
        "waited": 0.85,
        "Killed": 0.48,
        "Stopped": 0.33,
        "Stalled": 0.3,
        "run": 1.5,
        "handlers called": 18.0,
        "succeeded": 13.0,
        "timed_out": 1.6,
        "failed": 0.4,
    },
}
FLOORS_ON_FILES: Final = {"Joined": 1.0, "Stalled": 1.0, "run": 2.5, "handlers called": 2.0, "succeeded": 0.5}


@pytest.fixture(autouse=True)
def _unheard() -> Iterator[None]:
    """Nodes that are killed and stalled complain a lot."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def played(seeds: Sequence[int], count: int, *, with_files: bool) -> Statistics:
    """Play so many histories of each seed, two seeds side by side, and return what they came to together.

    What one seed draws is much alike, so that only all of them show whether enough happens. And it depends on the
    constants of all modules that are there: in a process of its own, on those of no other test.
    """
    statistics, play = Statistics(), partial(played_alone, count=count, with_files=with_files)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        for found in processes.map(play, seeds):
            statistics.include(found)
    return statistics


def played_apart(about: str) -> Statistics:
    """Play histories that are about one thing, in memory and on files."""
    statistics = Statistics()
    for number in SEEDS_APART:
        statistics.include(played_alone(number, count=APART, with_files=False, about=about))
        statistics.include(played_alone(number, count=APART_ON_FILES, with_files=True, about=about))
    return statistics


def played_alone(number: int, *, count: int, with_files: bool, about: str = "everything") -> Statistics:
    """Play so many histories of a seed in this process."""
    logging.disable(logging.CRITICAL)
    statistics = Statistics()
    play_drawn(number, count, statistics, with_files=with_files, about=about)
    return statistics


def test_nothing_is_lost_and_nothing_is_done_twice() -> None:
    """On one node after the other, in memory."""
    statistics = played(SEEDS, IN_MEMORY, with_files=False)
    assert statistics.counts["histories"] >= len(SEEDS) * IN_MEMORY
    assert statistics.below(FLOORS) == []


def test_several_nodes_on_one_file_lose_nothing_and_do_nothing_twice() -> None:
    """On a real SQLite file, where runs of a stalled node are taken over."""
    statistics = played(SEEDS_ON_FILES, ON_FILES, with_files=True)
    assert statistics.counts["histories"] >= len(SEEDS_ON_FILES) * ON_FILES
    assert statistics.below(FLOORS_ON_FILES) == []


def test_nothing_is_lost_of_what_is_drawn_apart() -> None:
    """What happens seldom has histories of its own, so that enough comes together with it."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        found = dict(zip(FLOORS_ABOUT, processes.map(played_apart, FLOORS_ABOUT), strict=True))
    assert {about: statistics.below(FLOORS_ABOUT[about]) for about, statistics in found.items()} == {
        about: [] for about in FLOORS_ABOUT
    }


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
