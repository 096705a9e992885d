"""A short history, killed once at every single call of the repository; each time it has to end as if nothing had been.

Run it with: python -m tests.crash.every_call
It prints a line per kind of call, and ends with 1 when a history came to another end than the undisturbed one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import trio

from tests.crash.evidence import Evidence, now, read
from tests.crash.fragile import Death, Fragile, Side
from tests.crash.life import Ended, Life
from tests.crash.marks import Act, Marks
from tests.crash.matching import violations
from tests.crash.node import OURS, Place, components
from tests.crash.torture import SHOWN_MAX, kept, say
from trioarm import Once, Origin, Reason, RetryPolicy, RunQuery, Schedule, Scheduler
from trioarm.bootstrap import open_scheduler
from trioarm.core.events import RunFinished
from trioarm.core.instants import HOUR, SECOND
from trioarm.core.queries import PAGE_MAX
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Delivery
from trioarm.core.states import ACTIVE, State
from trioarm.engine.ports import ScheduleRepository

AGAIN: Final = RetryPolicy(max_retries=2, base_s=0.01, max_s=0.02)
PATIENCE_S: Final = 20.0  # for a history to come to its end
BEGAN: Final = "t-fired"  # the schedule that the script fires
DONE: Final = b"!"  # what a process says when its history is over

# What runs at most once may also end so, where it was killed.
UNKNOWN: Final = (State.UNKNOWN, Reason.LOST)

Ends = dict[str, tuple[State, Reason | None]]


def schedules(at: int) -> tuple[Schedule, ...]:
    """Return schedules of every kind, all of which come due at an instant."""
    quick = {"took_s": 0.01}
    return (
        Schedule("t-plain", Once(at), handler="work", args=quick, retry=AGAIN),
        Schedule("t-once", Once(at), handler="work", args=quick, delivery=Delivery.AT_MOST_ONCE),
        Schedule("t-flaky", Once(at), handler="work", args={"took_s": 0.01, "fails": 1}, retry=AGAIN),
        Schedule("t-broken", Once(at), handler="work", args={"took_s": 0.01, "fails": 99}, retry=AGAIN),
        Schedule("t-lane/a", Once(at), handler="work", args=quick, lane="lane", retry=AGAIN),
        Schedule("t-lane/b", Once(at), handler="work", args=quick, lane="lane", retry=AGAIN),
        Schedule("t-door/arm", Once(at), handler="work", args=quick, lane="door", supersede=True, retry=AGAIN),
        Schedule("t-door/disarm", Once(at + 1), handler="work", args=quick, lane="door", supersede=True, retry=AGAIN),
        Schedule(BEGAN, Once(at + 24 * HOUR), handler="work", args=quick, retry=AGAIN),
    )


async def history(place: Place, at: int, death: Death | None, say_so: Callable[[bytes], object]) -> None:
    """Be a node that carries the whole script out, or what is left of it."""
    evidence, marks = Evidence(place.evidence), Marks(place.marks(0))
    marks.clear()
    evidence.tell("boot")
    container = components(place, evidence, marks, death)
    async with open_scheduler(container=container) as scheduler:
        with scheduler.subscribe(RunFinished) as events:
            await scheduler.schedules.put_many(schedules(at))
            await _fire_once(scheduler)
            while not await _is_over(scheduler, {schedule.name for schedule in schedules(at)}):
                with trio.move_on_after(0.5):
                    await anext(aiter(events))
        await scheduler.schedules.pause(BEGAN, note="that was all")
    repository = container.get(ScheduleRepository)
    assert isinstance(repository, Fragile)
    counts = " ".join(str(repository.counts[act]) for act in Act)
    (place.folder / "counts").write_text(counts)
    say_so(DONE)


async def _fire_once(scheduler: Scheduler) -> None:
    """Fire a schedule by hand, unless the process before lived to do it."""
    fired = await scheduler.runs.find(RunQuery(schedule=BEGAN))
    if not fired.rows:
        await scheduler.runs.fire(BEGAN)


async def _is_over(scheduler: Scheduler, names: set[str]) -> bool:
    """Whether all of these schedules are decided, and nothing of them is unfinished."""
    page = await scheduler.runs.find(RunQuery(limit=PAGE_MAX))
    ours = [run for run in page.rows if run.schedule in names]
    return {run.schedule for run in ours} == names and all(run.state not in ACTIVE for run in ours)


def one_history(folder: Path, death: Death | None) -> tuple[Ends, dict[Act, int], list[str], bool]:
    """Let a history come to its end over a death; return the ends of its runs, its calls, what must not be, and
    whether anybody died."""
    place, at = Place(folder), now() - SECOND
    died = False
    while True:
        life = Life.begin(partial(history, place, at, death), place)
        said = life.said(PATIENCE_S)
        if said == DONE:
            break
        if not life.kill() or said != b"" or died or death is None:
            raise Ended(f"a history {death or 'that nobody disturbed'} did not come to its end: see {place.log}")
        died, death = True, None
    if code := life.code():
        raise Ended(f"a node ended with {code} after its history was over: see {place.log}")
    rows, records = trio.run(kept, place.store, OURS)
    counts = dict(zip(Act, map(int, (folder / "counts").read_text().split()), strict=True))
    return _ends(rows), counts, list(violations(read(place.evidence), rows, records)), died


def _ends(rows: list[RunRecord]) -> Ends:
    found: Ends = {}
    for row in rows:
        name = f"{row.schedule.schedule.name}{'' if row.origin is Origin.SCHEDULE else '+' + row.origin}"
        if name in found:
            raise Ended(f"{name} was decided twice")
        found[name] = (row.state, row.reason if row.state is not State.SUCCEEDED else None)
    return found


def differences(ends: Ends, undisturbed: Ends) -> list[str]:
    """Return in what a history ended otherwise than the undisturbed one."""
    return [
        f"{name} is {ends.get(name)}, and not {undisturbed.get(name)}"
        for name in sorted(ends.keys() | undisturbed.keys())
        if ends.get(name) != undisturbed.get(name) and (name, ends.get(name)) != ("t-once", UNKNOWN)
    ]


def every_call(folder: Path, every: int) -> tuple[Counter[str], list[str]]:
    """Kill a history at its calls, and return how many of each kind hit, and what must not be.

    Args:
        every: 1 for each call, 2 for each second one, and so on.
    """
    hit: Counter[str] = Counter()
    (folder / "undisturbed").mkdir()
    undisturbed, counts, found, _ = one_history(folder / "undisturbed", None)
    deaths = [Death(act, number, side) for act in Act for number in range(1, counts[act] + 1) for side in Side]
    for index, death in enumerate(deaths[::every]):
        place = folder / str(index)
        place.mkdir()
        ends, _, problems, died = one_history(place, death)
        hit[death.act.name.lower() if died else "not reached"] += 1
        found += [f"killed {death}: {problem}" for problem in problems + differences(ends, undisturbed)]
    return hit, found


def main() -> int:
    """Run as a program; 0 when every history came to the same end."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.every_call", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="kill at each N-th of all calls only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        hit, found = every_call(Path(temporary), arguments.every)
    missed = [act.name.lower() for act in Act if not hit[act.name.lower()]]
    if missed and arguments.every == 1:
        found.append(f"no kill was at a call to {', '.join(missed)}")
    for kind, count in hit.most_common():
        say(f"{kind}: {count} kills")
    for text in found[:SHOWN_MAX]:
        say(f"VIOLATION: {text}")
    say(f"{len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
