"""The real program, back after a year: `python -m tests.crash.away` says what became of 31 million seconds, and how
soon the first run began (S5.1).

It is not among the tests that always run: what is decided is held in `tests/core/test_catching_up.py`.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Final

from tests.cli.programs import REPOSITORY

SCHEDULES: Final = """
[scheduler]
timezone = "UTC"

[[schedule]]
name = "every"
handler = "log"
every = "1s"

[[schedule]]
name = "cron"
handler = "log"
cron = "* * * * * *"

[[schedule]]
name = "rrule"
handler = "log"
rrule = { rule = "FREQ=SECONDLY", start = "2020-01-01T00:00:00" }

[[schedule]]
name = "union"
handler = "log"
union = [{ every = "1s" }, { cron = "* * * * * *" }]

[[schedule]]
name = "each"
handler = "log"
every = "1s"
misfire = "each"
misfire_window = "1m"
overlap = "allow"
"""
NAMES: Final = ("every", "cron", "rrule", "union", "each")
AWAY: Final = 365 * 86_400 * 1_000_000  # microseconds


def run(folder: Path, until: str) -> tuple[float, str]:
    """Run a node until it says something, then end it; return after how many seconds it did, and all that it said."""
    began = perf_counter()
    arguments = [sys.executable, "-m", "trioarm", "run"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(arguments, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if until in line:
                elapsed_s = perf_counter() - began
                process.terminate()
                until = "nothing more"
    assert until == "nothing more", said
    return elapsed_s, said


def main() -> None:
    """Let a node live for a moment, be away for a year, and come back."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scheduler.toml").write_text(SCHEDULES)
        fresh_s, _ = run(folder, "  each")
        with closing(sqlite3.connect(folder / "trioarm.db")) as store:
            store.execute(f"UPDATE cursors SET cursor_at = cursor_at - {AWAY}, next_due_at = next_due_at - {AWAY}")
            store.execute("UPDATE cursors SET wake_at = next_due_at")
            store.execute("DELETE FROM runs")  # of an instant that is to come yet, and would be decided already
            store.commit()
        back_s, _ = run(folder, "  each")
        with closing(sqlite3.connect(folder / "trioarm.db")) as store:
            question = (
                "SELECT s.name, r.count, r.state, r.error FROM runs r JOIN schedules s USING (key) WHERE r.count > 1000"
            )
            rows = {schedule: (count, state, error) for schedule, count, state, error in store.execute(question)}
    assert {*NAMES} <= {*rows}, rows
    for schedule in NAMES:
        count, state, error = rows[schedule]
        print(f"{schedule}: {count:,} {state}{f' ({error})' if error else ''}")
        assert abs(count - AWAY // 1_000_000) < 600
    print(f"the first run began {fresh_s:.2f} s after the start of a fresh store, {back_s:.2f} s after a year away")


if __name__ == "__main__":
    main()
