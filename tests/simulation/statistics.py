"""Statistics: what the histories of a simulation amounted to, so that a simulation in which nothing happens is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from tests.simulation.course import Course
from tests.simulation.history import ACTS_SEEN
from tests.simulation.turns import waited_for_a_worker

DAY_S: Final = 86_400.0
ANSWERS: Final = ("before", "after", "refused", "slow")


class Statistics:
    """Sums over histories."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.virtual_s = 0.0

    def add(self, course: Course) -> None:
        """Count what a history came to."""
        self.counts["histories"] += 1
        self.counts["corrections"] += course.corrected
        self.counts["idle"] += bool(course.wakes)
        self.counts["dry runs"] += sum(one.dry_run for one in course.declarations)
        self.counts["refused starts"] += sum(one.refused is not None for one in course.declarations)
        self.counts.update(f"said {one.verb}" for _, one in course.journal)
        self.counts.update(one.verb for one in course.many)
        self.counts.update(f"all {result.outcome}" for one in course.many for result in one.results)
        self.counts["lacks"] += course.lacks
        self.counts["told"] += sum(life.told_at is not None for life in course.lives)
        self.counts["waited"] += waited_for_a_worker(course)
        self.counts["handlers called"] += sum(map(len, course.witness.calls.values()))
        self.counts["attempts that follow another"] += sum(len(calls) - 1 for calls in course.witness.calls.values())
        self.counts.update(f"of {row.origin}" for row in course.rows)
        self.counts.update(course.counts)
        self.states.update(str(row.state) for row in course.rows)
        self.virtual_s += course.virtual_s

    def include(self, others: Statistics) -> None:
        """Count what other histories came to."""
        self.counts.update(others.counts)
        self.states.update(others.states)
        self.virtual_s += others.virtual_s

    def faults(self) -> dict[str, int]:
        """Return how many faults struck, by the call they struck."""
        struck: Counter[str] = Counter()
        for name, count in self.counts.items():
            call, _, fault = name.partition(": ")
            if fault in ANSWERS:
                struck[call] += count
        return dict(struck)

    def below(self, floors: Mapping[str, float]) -> list[str]:
        """Return what happened less often than it must, a line each; floors are counts for each history."""
        counts = self.counts | self.states
        return [
            f"{name}: {counts[name]}, and at least {least} a history are expected"
            for name, least in floors.items()
            if counts[name] < least * self.counts["histories"]
        ]

    def lines(self) -> list[str]:
        """Return all of it for people."""
        of = self.counts
        happened = ", ".join(f"{of[name]} {name.lower()}" for name in ACTS_SEEN)
        faults = ", ".join(f"{count} at {call}" for call, count in sorted(self.faults().items()))
        states = ", ".join(f"{count} {state}" for state, count in self.states.most_common())
        return [
            f"{of['histories']} histories, {self.virtual_s / DAY_S:.1f} virtual days, {of['run']} lives of a node",
            f"acts: {happened}; {of['corrections']} corrections of a clock",
            f"faults: {faults}",
            f"{sum(self.states.values())} rows: {states}",
            f"of these {of['of manual']} fired, {of['of retry']} retried, {of['of backfill']} backfilled; "
            f"{of['said skip']} were to be skipped, {of['said postpone']} postponed, {of['said undo']} times undone; "
            f"{of['said pause']} pauses",
            f"{of['dry runs']} declarations were dry runs, {of['refused starts']} starts were refused for their set; "
            f"{of['waited']} waits for a worker were judged; {of['idle']} worlds were left idle",
            f"{of['pause_all']} times all were paused, {of['resume_all']} times resumed, "
            f"{of['cancel_all']} times cancelled: {of['all changed']} changed, {of['all unchanged']} "
            f"did not, {of['all refused']} could not",
            f"{of['rows forgotten']} rows were forgotten, and {of['schedules forgotten']} schedules that were over",
            f"{of['handlers called']} calls of handlers, {of['attempts that follow another']} of them after another of "
            f"their run, {of['commit']} commits",
        ]
