"""Kill nodes again and again, at random instants and at random calls, and hold what handlers did against the file.

Run it with: python -m tests.crash.torture --kills 200 --seed 1, and --nodes 2 to let two live on one file.
It prints where the kills hit and what was decided, and ends with 1 when anything was lost or doubled.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from tests.crash.evidence import Line, of, read
from tests.crash.fragile import Death, Side
from tests.crash.life import Ended, Life
from tests.crash.marks import Act, Marks
from tests.crash.matching import calls_of, violations
from tests.crash.node import OURS, Place, live
from tests.world import all_runs
from trioarm import ScheduleQuery
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Delivery
from trioarm.core.states import State
from trioarm.handlers.housekeeping import OWNER
from trioarm.repositories.sqlite import SqliteScheduleRepository

LIFE_S: Final = (0.02, 0.5)  # how long a node that works lives, at least and at most
PATIENCE_S: Final = 20.0  # for a node to work, or to end well
AT_A_CALL: Final = 0.5  # how many of the kills are at a call; the others are at any instant
ENOUGH: Final = 150  # kills of which some must have been at a call of each kind
SHOWN_MAX: Final = 50  # violations that are shown
CALLS_MAX: Final = 12  # which of the calls of a kind may be the last one

# A kill at a call is at one of these; there is one opening and one joining, and writes are few.
LASTS: Final[dict[Act, int]] = dict.fromkeys(Act, CALLS_MAX) | {Act.OPEN: 1, Act.JOIN: 1, Act.WRITE: 1, Act.RENEW: 4}


@attrs.define(slots=True)
class Toll:
    """Where the kills hit."""

    work: Counter[str] = attrs.Factory(Counter)
    acts: Counter[str] = attrs.Factory(Counter)
    calls: Counter[str] = attrs.Factory(Counter)

    @property
    def kills(self) -> int:
        """How many there were."""
        return self.work.total()

    @property
    def hit_work(self) -> int:
        """How many hit a run that was claimed or running."""
        return self.work["claimed"] + self.work["running"]


@attrs.frozen(slots=True)
class Doomed:
    """A node that is to be killed.

    Args:
        life: its process.
        number: which of the nodes it is.
        death: when it dies by its own hand; None when somebody else sees to it.
    """

    life: Life
    number: int
    death: Death | None


def begin(place: Place, number: int, chance: random.Random) -> Doomed:
    """Start a node that is to be killed, and let it work, or die before."""
    death = None
    if chance.random() < AT_A_CALL:
        act = chance.choice(list(LASTS))
        death = Death(act, chance.randint(1, LASTS[act]), chance.choice(list(Side)))
    life = Life.begin(partial(live, place, number, death, False), place, chance.getrandbits(32))
    if life.said(PATIENCE_S) is None:
        life.kill()
        raise Ended(f"a node did not begin to work within {PATIENCE_S:.0f} s: see {place.log}")
    return Doomed(life, number, death)


def end(doomed: Doomed, chance: random.Random, toll: Toll) -> None:
    """Let a node live for a while, or until it dies, and kill it."""
    life, death = doomed.life, doomed.death
    life.said(LIFE_S[1] * 3 if death else chance.uniform(*LIFE_S))
    died = life.kill()
    _note(toll, Marks(life.place.marks(doomed.number)), death if died else None)


def _note(toll: Toll, marks: Marks, death: Death | None) -> None:
    toll.work[marks.work()] += 1
    for act in marks.acts():
        toll.acts[f"in {act.name.lower()}"] += 1
    if not marks.acts():
        toll.acts["between calls"] += 1
    toll.calls["at any instant" if death is None else f"{death.side} {death.act.name.lower()}"] += 1


def end_well(place: Place) -> None:
    """Start a node for the last time, and let it end everything."""
    life = Life.begin(partial(live, place, 0, None, True), place)
    while life.said(PATIENCE_S):
        pass
    if code := life.code():
        raise Ended(f"the last node ended with {code}: see {place.log}")


async def kept(store: Path, prefix: str) -> tuple[list[RunRecord], list[ScheduleRecord]]:
    """Return what a file says was decided, and by which schedules: those whose names begin so, and no built-in ones."""
    repository = SqliteScheduleRepository(store)
    await repository.open()
    try:
        page = await repository.find_schedules(ScheduleQuery(prefix=prefix))
        records = [record for record in page.rows if record.schedule.owner != OWNER]
        keys = {record.key for record in records}
        return [row for row in await all_runs(repository) if row.schedule.key in keys], records
    finally:
        await repository.close()


def torture(folder: Path, kills: int, seed: int, nodes: int) -> tuple[Toll, list[str], list[RunRecord], list[Line]]:
    """Kill nodes so often, let the last one end well, and return where that hit and what must not be."""
    place, chance, toll = Place(folder), random.Random(seed), Toll()
    began = time.monotonic()
    lives = [begin(place, number, chance) for number in range(nodes)]
    while lives:
        doomed = lives.pop(chance.randrange(len(lives)))
        end(doomed, chance, toll)
        if toll.kills + len(lives) < kills:
            lives.append(begin(place, doomed.number, chance))
        if toll.kills % 20 == 0:
            say(f"{toll.kills} kills, {time.monotonic() - began:.0f} s, {toll.hit_work} hit a claimed or running run")
    end_well(place)
    rows, records = trio.run(kept, place.store, OURS)
    lines = read(place.evidence)
    return toll, list(violations(lines, rows, records)), rows, lines


def report(toll: Toll, rows: Sequence[RunRecord], lines: Sequence[Line]) -> None:
    """Print where the kills hit and what was decided."""
    say(f"{toll.kills} kills: {_listed(toll.work)}")
    say(f"  the repository was {_listed(toll.acts)}")
    say(f"  killed {_listed(toll.calls)}")
    say(f"decided: {sum(row.count for row in rows)} instants in {len(rows)} rows: {_listed(_states(rows))}")
    once = {row.schedule.schedule.name for row in rows if row.schedule.schedule.delivery is Delivery.AT_MOST_ONCE}
    calls = calls_of(lines)
    at_most_once = [its for run, its in calls.items() if run.partition("@")[0] in once]
    cut_short = sum(not call.is_whole for its in calls.values() for call in its)
    say(f"handlers were begun {len(of(lines, 'start'))} times for {len(calls)} runs, {cut_short} were cut short")
    say(f"  at most once: {len(at_most_once)} runs begun, {sum(len(its) > 1 for its in at_most_once)} twice")


def _states(rows: Sequence[RunRecord]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in rows:
        why = "" if row.reason is None or row.state is State.SUCCEEDED else f" ({row.reason})"
        counts[f"{row.state}{why}"] += row.count
    return counts


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run as a program; 0 when nothing was lost or doubled and most kills hit a run."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--folder", type=Path, help="where to leave everything; must be empty")
    parser.add_argument("--nodes", type=int, default=1, help="how many live at once")
    arguments = parser.parse_args()
    say(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        toll, found, rows, lines = torture(folder, arguments.kills, arguments.seed, arguments.nodes)
        report(toll, rows, lines)
    missed = [act.name.lower() for act in LASTS if not any(call.endswith(act.name.lower()) for call in toll.calls)]
    part = 2 if toll.kills >= ENOUGH else 4  # of a dozen kills on two nodes, chance alone may let half hit an idle one
    if toll.hit_work * part <= toll.kills:
        found.append("too few kills hit a claimed or running run")
    if toll.kills >= ENOUGH and missed:
        found.append(f"no kill was at a call to {', '.join(missed)}")
    for text in found[:SHOWN_MAX]:
        say(f"VIOLATION: {text}")
    say(f"{len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
