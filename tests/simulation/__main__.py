"""Long runs of the simulation, until a time is over or something does not hold.

Run it with: python -m tests.simulation --minutes 30
It prints what the histories amounted to; on a history that does not hold, that history, smaller if it can be, and ends
with 1.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

import trio
from hypothesis import register_random

from tests.simulation.drawing import MADE_SMALLER, play_drawn
from tests.simulation.statistics import Statistics
from tests.simulation.themes import ABOUT
from trioarm.cli.terminal import say

BATCH = 250
BATCH_ON_FILES = 25
SHARES = {about: 1.0 if about == "everything" else 0.25 for about in ABOUT}  # of a batch


def main() -> int:
    """Play drawn histories, batch after batch, each of its own seed."""
    arguments = _arguments()
    logging.disable(logging.CRITICAL)
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[attr-defined]
    register_random(trio._core._run._r)
    statistics, number = Statistics(), arguments.seed
    ends_at = time.monotonic() + arguments.minutes * 60
    batch = BATCH_ON_FILES if arguments.files else BATCH
    while time.monotonic() < ends_at:
        for about, share in SHARES.items():
            count = round(batch * share)
            try:
                play_drawn(number, count, statistics, with_files=arguments.files, about=about, phases=MADE_SMALLER)
            except AssertionError:
                say_all(statistics, f"something does not hold: seed {number}, about {about}")
                raise
        say(f"seed {number}: {statistics.lines()[0]}")
        number += 1
    say_all(statistics, "everything held")
    return 0


def say_all(statistics: Statistics, verdict: str) -> None:
    """Print what the histories amounted to, and what came of it."""
    for line in (*statistics.lines(), verdict):
        say(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Play drawn histories of nodes.")
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the first histories (default: 1)")
    parser.add_argument("--files", action="store_true", help="several nodes on one SQLite file instead of memory")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
