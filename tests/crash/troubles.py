"""Trouble for living nodes that nobody kills: halted past their lease, a full disk, a store taken away and put back.

Run it with: python -m tests.crash.troubles --rounds 30 --seed 1. What handlers did is held against the store then, as
after kills. It prints what there was, and ends with 1 when anything was lost, doubled, or did not heal by itself.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from tests.crash.evidence import Line, of, read
from tests.crash.fragile import on_the_disk
from tests.crash.life import Ended, Life
from tests.crash.marks import Marks
from tests.crash.matching import violations
from tests.crash.node import OURS, Place, live
from tests.crash.torture import PATIENCE_S, SHOWN_MAX, end_well, kept, say
from trioarm.core.run import RunRecord

LEASE_S: Final = 3.0  # a tenth of the usual one; a busy machine must not take as long for one step
NODES: Final = 2
ROOM: Final = 64 * 1024 * 1024  # bytes of the small disk
LOCKED_S: Final = 0.5  # far longer than a transaction of a node that goes on
LOOK_S: Final = 0.02  # between two looks at what a node does
SHORT_S: Final = (0.1, 1.0)  # for how long a store is away, well within the lease
LONG_S: Final = (LEASE_S, LEASE_S + 1.0)  # and past it
FULL: Final = "the disk is full: make room"
GONE: Final = "was removed or replaced while it was in use"
LOCKED: Final = "is locked by another program"
WELL: Final = "can be used again"

Trouble = Callable[["Scene"], str]


class Scene:
    """Nodes at work on one store.

    Args:
        place: where they live.
        lives: their processes.
        chance: what decides.
    """

    def __init__(self, place: Place, lives: Sequence[Life], chance: random.Random) -> None:
        self.place = place
        self.lives = list(lives)
        self.chance = chance

    def until(self, wanted: Callable[[], bool], what: str) -> None:
        """Wait until it is so.

        Raises:
            Ended: it is not so in time, or a node has ended.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not wanted():
            self.last(LOOK_S)
            if time.monotonic() > deadline:
                raise Ended(f"{what}, not within {PATIENCE_S:.0f} s: see {self.place.log}")

    def last(self, seconds: float) -> None:
        """Let the nodes work for so long."""
        if self.lives[0].said(seconds) == b"":
            raise Ended(f"a node ended by itself: see {self.place.log}")

    def said(self, text: str) -> int:
        """Return how many lines of the nodes have a text."""
        return self.place.log.read_text().count(text)

    def count(self, what: str) -> int:
        """Return how many lines of evidence there are of a kind."""
        return len(of(read(self.place.evidence), what))

    def work_on(self) -> None:
        """Wait until handlers have been begun again."""
        begun = self.count("start")
        self.until(lambda: self.count("start") > begun + 3, "work goes on")

    def is_locked(self) -> bool:
        """Whether somebody is in a transaction, and stays there."""
        try:
            with closing(sqlite3.connect(self.place.store, timeout=LOCKED_S, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False

    def nodes(self) -> int:
        """Return how many nodes the store knows."""
        [(count,)] = on_the_disk(self.place.store, "SELECT count(*) FROM nodes")
        return int(str(count))


def halted(scene: Scene) -> str:
    """Halt one of the nodes at work, until the other has taken over what it held; then let it go on."""
    life = scene.chance.choice(scene.lives)
    marks = Marks(scene.place.marks(scene.lives.index(life)))
    scene.until(lambda: _halted(life, lambda: marks.work() == "running" and not scene.is_locked()), "it is at work")
    scene.until(lambda: scene.nodes() == NODES - 1, "the other node takes over")
    refused = scene.count("refused")
    life.go_on()
    scene.until(lambda: scene.count("refused") > refused, "late results are refused")
    scene.until(lambda: scene.nodes() == NODES, "it joins again")
    return "halted past the lease"


def _halted(life: Life, wanted: Callable[[], bool]) -> bool:
    """Halt a process, and let it go on at once if it was not where it is wanted to be."""
    life.halt()
    if wanted():
        return True
    life.go_on()
    return False


def locking(scene: Scene) -> str:
    """Halt one of the nodes while it writes: nobody can write then, or take over, until it goes on."""
    said, well = scene.said(LOCKED), scene.said(WELL)
    life = scene.chance.choice(scene.lives)
    scene.until(lambda: _halted(life, scene.is_locked), "it writes")
    scene.until(lambda: scene.said(LOCKED) > said, "the other node says that the store is locked")
    assert scene.nodes() == NODES
    life.go_on()
    scene.until(lambda: scene.said(WELL) > well, "the store can be written again")
    return "halted while it writes"


def full(scene: Scene) -> str:
    """Fill the disk until it is said that it is full; make room after a while."""
    said, well = scene.said(FULL), scene.said(WELL)
    ballast = scene.place.store.with_name("ballast")
    _fill(ballast)
    away = scene.chance.choice([SHORT_S, LONG_S])
    scene.until(lambda: scene.said(FULL) > said, "a node says that the disk is full")
    scene.last(scene.chance.uniform(*away))
    ballast.unlink()
    scene.until(lambda: scene.said(WELL) > well, "the store can be written again")
    return f"disk full for {'longer' if away is LONG_S else 'shorter'} than the lease"


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def away(scene: Scene) -> str:
    """Take the store away, and put it back after a while."""
    said, well = scene.said(GONE), scene.said(WELL)
    store, elsewhere = scene.place.store, scene.place.store.with_name("elsewhere")
    store.rename(elsewhere)
    for_s = scene.chance.choice([SHORT_S, LONG_S])
    scene.until(lambda: scene.said(GONE) > said, "a node says that its store is away")
    scene.last(scene.chance.uniform(*for_s))
    assert not store.exists()
    elsewhere.rename(store)
    scene.until(lambda: scene.said(WELL) > well, "the store can be written again")
    return f"store away for {'longer' if for_s is LONG_S else 'shorter'} than the lease"


TROUBLES: Final[dict[str, Trouble]] = {"halted": halted, "full": full, "away": away, "locking": locking}


def trouble(
    place: Place, kinds: Sequence[str], rounds: int, seed: int
) -> tuple[Counter[str], list[str], list[RunRecord], list[Line]]:
    """Let nodes work through one trouble after the other, end well, and return what there was and what must not be."""
    chance, counts = random.Random(seed), Counter[str]()
    lives = [_begin(place, number, chance) for number in range(NODES)]
    scene = Scene(place, lives, chance)
    try:
        for turn in range(rounds):
            scene.work_on()
            counts[TROUBLES[kinds[turn % len(kinds)]](scene)] += 1
        scene.work_on()
    finally:
        for life in lives:
            life.kill()
    end_well(place)
    rows, records = trio.run(kept, place.store, OURS)
    lines = read(place.evidence)
    return counts, list(violations(lines, rows, records)), rows, lines


def _begin(place: Place, number: int, chance: random.Random) -> Life:
    life = Life.begin(partial(live, place, number, None, False), place, chance.getrandbits(32))
    if life.said(PATIENCE_S) is None:
        life.kill()
        raise Ended(f"a node did not begin to work within {PATIENCE_S:.0f} s: see {place.log}")
    return life


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small file system, which only root can do."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def main() -> int:
    """Run as a program; 0 when nothing was lost or doubled, and all healed."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.troubles", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--kinds", nargs="+", choices=list(TROUBLES), default=list(TROUBLES))
    arguments = parser.parse_args()
    say(f"seed {arguments.seed}")
    if "full" in arguments.kinds and os.geteuid() != 0:
        parser.error("a full disk needs root, who may mount a small one: leave it out with --kinds halted away")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disk = stack.enter_context(small_disk(folder / "disk")) if "full" in arguments.kinds else None
        place = Place(folder, disk, LEASE_S)
        counts, found, rows, lines = trouble(place, arguments.kinds, arguments.rounds, arguments.seed)
    for what, count in counts.items():
        say(f"{what}: {count} times")
    say(f"{len(of(lines, 'refused'))} late results were refused")
    for text in found[:SHOWN_MAX]:
        say(f"VIOLATION: {text}")
    say(f"{len(found)} violations in {len(rows)} rows and {len(of(lines, 'start'))} calls")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
