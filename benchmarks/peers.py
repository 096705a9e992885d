"""`python -m benchmarks.peers [next_after] [work]`: trioarm beside every library that can be installed.

`next_after` is how fast the next occurrence is found, in answers a second. `work` is what a whole scheduler does, by
the benchmark of the same name: runs a second in memory and on SQLite, how late calls begin, adding schedules, what one
of them takes, and how soon the first run begins after a restart; beside it the floor, the least that could work.

Each library runs in an environment of its own, made in a temporary folder; what is shown is the median of the rounds,
in which all take turns. Schedulers promise different things, and the script of each says which: of these only trioarm
keeps what became of a run. So read what a promise costs, not who wins. Sizes are small, for the slowest of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import adding, dispatch, durable, footprint, lateness, next_after, restart
from benchmarks.floors.questions import KINDS
from benchmarks.measure import Benchmark, Measurement, apart

HERE: Final = Path(__file__).parent
QUESTIONS: Final = HERE / "floors" / "questions.py"
LIBRARIES: Final = {
    "cronsim": ("cronsim", "tzdata"),
    "croniter": ("croniter", "tzdata"),
    "dateutil": ("python-dateutil", "tzdata"),
    "apscheduler": ("apscheduler<4", "tzdata"),
}
SCHEDULERS: Final = {
    "apscheduler4": ("apscheduler==4.0.0a6", "sqlalchemy[asyncio]", "aiosqlite", "trio", "tzdata"),
    "apscheduler3": ("apscheduler<4", "sqlalchemy", "tzdata"),
    "huey_on_sqlite": ("huey",),
}
ROUNDS: Final = 5
N: Final = 200  # answers of a kind
WORK: Final[tuple[tuple[Benchmark, int], ...]] = (
    (dispatch.BENCHMARK, 5_000),
    (durable.BENCHMARK, 300),
    (lateness.BENCHMARK, 300),
    (adding.BENCHMARK, 5_000),
    (footprint.BENCHMARK, 10_000),
    (restart.BENCHMARK, 500),
)
"""Benchmarks that others can be held against, and the size of their work."""


def prepare(folder: Path, requirements: Sequence[str]) -> Path:
    """Make an environment, and return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], check=True
    )
    return python


def ask(python: Path, script: Path, *arguments: object) -> Measurement:
    """Return what a library reaches, measured in its own environment."""
    words = [str(argument) for argument in arguments]
    done = subprocess.run([python, script, *words], check=True, capture_output=True, text=True)
    reached: dict[str, float] = json.loads(done.stdout)
    return reached


def next_occurrence(root: Path, rounds: int) -> None:
    """Measure how fast the next occurrence is found, and print a table."""
    pythons = {name: prepare(root / name, needs) for name, needs in LIBRARIES.items()}
    taken: dict[str, list[Measurement]] = {name: [] for name in ("trioarm", *LIBRARIES)}
    for _ in range(rounds):
        taken["trioarm"].append(next_after.measure(N))
        for name, python in pythons.items():
            taken[name].append(ask(python, QUESTIONS, name, N))
    print(_table("1/s", taken, [(kind, kind) for kind in KINDS]))


def work(root: Path, rounds: int) -> None:
    """Measure what whole schedulers do, and print a table."""
    pythons = {name: prepare(root / name, needs) for name, needs in SCHEDULERS.items()}
    taken: dict[str, list[Measurement]] = {name: [] for name in ("trioarm", "floor", *SCHEDULERS)}
    for _ in range(rounds):
        for benchmark, n in WORK:
            if benchmark.subject is not None:
                taken["trioarm"].append(apart(benchmark.subject, n))
            taken["floor"].append(apart(benchmark.floor, n))
            for name, python in pythons.items():
                with tempfile.TemporaryDirectory() as folder:
                    script = HERE / "others" / f"{name}.py"
                    reached = ask(python, script, benchmark.name, n, folder)
                taken[name].append({key: reached[key] for key in _figures(benchmark) if key in reached})
    shown = [(f.name, f"{f.name}, {f.unit}") for benchmark, _ in WORK for f in benchmark.figures]
    print(_table("", taken, [(name, title) for name, title in shown if any(name in one for one in taken["floor"])]))


def _figures(benchmark: Benchmark) -> list[str]:
    return [figure.name for figure in benchmark.figures]


def _table(corner: str, taken: Mapping[str, Sequence[Measurement]], rows: Sequence[tuple[str, str]]) -> str:
    """Lay out the medians: a row for each figure and its title, a column for each library."""
    lines = [f"{corner:<34}" + "".join(f"{name:>16}" for name in taken)]
    for figure, title in rows:
        cells = [_cell([one[figure] for one in measured if figure in one]) for measured in taken.values()]
        lines.append(f"{title:<34}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def _cell(reached: Sequence[float]) -> str:
    if not reached:
        return "-"
    value = median(reached)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


TABLES: Final = {"next_after": next_occurrence, "work": work}


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for, or all, and print a table of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Measure trioarm beside others.")
    parser.add_argument("tables", metavar="TABLE", nargs="*", help=f"of: {', '.join(TABLES)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"in which all take turns (default: {ROUNDS})")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.tables) - TABLES.keys()):
        parser.error(f"no table named {', '.join(unknown)}; there are: {', '.join(TABLES)}")
    for name, table in TABLES.items():
        if not options.tables or name in options.tables:
            with tempfile.TemporaryDirectory() as root:
                table(Path(root), options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
