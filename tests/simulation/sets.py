"""The reference for declared sets: what a declaration changes, what it leaves alone, and what it refuses (S5.8).

It is plain arithmetic of names: what an owner declares is stored, what it declared before and does not any more is not,
and nothing else is touched. Whoever was not answered finds all of it, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.simulation.course import Course, Declaration
from trioarm import Schedule
from trioarm.core.record import ScheduleRecord

FILE = "file:"  # of an owner that is a file


def declared_wrongly(course: Course) -> Iterator[str]:
    """Every set was declared as a whole and for its owner alone, and what a file declares is removed there."""
    for declared in course.declarations:
        yield from (f"set of {declared.owner}: {wrong}" for wrong in _changed_wrongly(declared))
        yield from (f"set of {declared.owner}: {wrong}" for wrong in _touched(declared))
        yield from (f"set of {declared.owner}: {wrong}" for wrong in _said_wrongly(declared, course))
    for removal in course.removals:
        file = (removal.owner or "").removeprefix(FILE) if (removal.owner or "").startswith(FILE) else None
        if (file is None) != (removal.refused is None):
            yield f"{removal.name} of {removal.owner}: to remove it was answered by {removal.refused}"
        elif removal.refused is not None and file is not None and file not in removal.refused:
            yield f"{removal.name}: is declared in {file}, which is not named: {removal.refused}"


def _foreign(declared: Declaration) -> set[str]:
    """Return the names of a set that somebody else has."""
    before = declared.before
    return {name for name in declared.wanted if name in before and before[name].schedule.owner != declared.owner}


def _to_be(declared: Declaration) -> dict[str, Schedule]:
    """Return what is to be stored by a declaration that is carried out."""
    before, foreign = _definitions(declared.before), _foreign(declared)
    others = {name: schedule for name, schedule in before.items() if schedule.owner != declared.owner}
    return others | {name: schedule for name, schedule in declared.wanted.items() if name not in foreign}


def _definitions(records: Mapping[str, ScheduleRecord]) -> dict[str, Schedule]:
    return {name: record.schedule for name, record in records.items()}


def _changed_wrongly(declared: Declaration) -> Iterator[str]:
    before, after, to_be = _definitions(declared.before), _definitions(declared.after), _to_be(declared)
    if declared.dry_run or declared.refused is not None:
        if after != before:
            yield f"only asked for, or refused, it changed {_differing(before, after)}"
    elif declared.is_done:
        if after != to_be:
            yield f"it is declared, and {_differing(to_be, after)} are not as they are to be"
    elif after not in (before, to_be):
        yield f"it was done in part: {_differing(before, after)} of {_differing(before, to_be)}"


def _differing(one: Mapping[str, Schedule], other: Mapping[str, Schedule]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _touched(declared: Declaration) -> Iterator[str]:
    """What is as it was, is so in everything: its number, its revision, what it has decided."""
    for name, before in declared.before.items():
        after = declared.after.get(name)
        if after is None:
            continue
        if after.key != before.key:
            yield f"{name} was number {before.key}, and is {after.key}"
        if after.epoch != before.epoch:  # a clock that was set back took it back meanwhile
            continue
        if after.cursor_at < before.cursor_at or after.runs < before.runs:
            yield f"{name} had {before.runs} runs, until {before.cursor_at}; {after.runs}, until {after.cursor_at}"
        if after.pause != before.pause or after.schedule != before.schedule:  # it was paused meanwhile, for it failed
            continue
        if after.revision != before.revision:
            yield f"{name} is as it was, and has revision {after.revision} after {before.revision}"


def _said_wrongly(declared: Declaration, course: Course) -> Iterator[str]:
    """Who declares is told what that changes; of a write whose fate was unknown it may be that all is so already."""
    foreign = _foreign(declared)
    if declared.refused is not None and not (foreign and all(name in declared.refused for name in foreign)):
        yield f"was refused for {declared.refused}, and others have {sorted(foreign)}"
    if declared.is_done and declared.answer is None and foreign:
        yield f"a node has started, and others have {sorted(foreign)}"
    if declared.answer is None:
        return
    answer, before, wanted = declared.answer, _definitions(declared.before), declared.wanted
    own = {name for name, schedule in before.items() if schedule.owner == declared.owner}
    told = [set(answer.added), set(answer.changed), set(answer.removed), set(answer.unchanged), set(answer.foreign)]
    same = {name for name in wanted if before.get(name) == wanted[name]}
    change = [wanted.keys() - before.keys(), (wanted.keys() & own) - same, own - wanted.keys(), same, foreign]
    nothing: list[set[str]] = [set(), set(), set(), wanted.keys() - foreign, foreign]
    if told != change and not (course.disturbed and told == nothing):
        yield f"it was said to change {told}, and changes {change}"
