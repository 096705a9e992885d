"""The real program whose wall clock is set while it runs: no burst, nothing twice, and the next arm in time (S3.3).

`python -m tests.crash.steps` lives through it in about two minutes. It is not among the tests that always run: behind a
clock that asks a file for every reading, a busy machine is sometimes too slow for a house that is armed every twelve
seconds. What follows from each step is held in virtual time, by `tests/engine/test_clock_steps.py`.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import trio

from tests import needs
from tests.cli.programs import Program, rows, started

HOUSE = """
[scheduler]
check_interval = "5s"  # here nobody but a look tells that the clock was set

[site.home]
timezone = "UTC"

[partition.house]
site = "home"
panel = { kind = "virtual", exit_delay = "0s" }
allow_disarm = true

[[schedule]]
name = "arm"
partition = "house"
target = "armed_night"
every = { period = "12s", anchor = "2026-01-01T00:00:00Z" }

[[schedule]]
name = "disarm"
partition = "house"
target = "disarmed"
every = { period = "12s", anchor = "2026-01-01T00:00:06Z" }
"""
HOUR_S = 3600
TEN_YEARS_S = 3650 * 24 * HOUR_S
LATE_S = 5.0 + 4.0  # how late an arm may be: what a look takes to come, and what a busy machine takes
QUIET_S = 14.0  # more than a period
MEMORY_MAX = 16 << 20  # bytes that a node may grow by through all of it


class Wall:
    """The wall clock of one process, to be set while it runs."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.offset_s = 0
        self.is_set_by(0)

    def is_set_by(self, seconds: int) -> None:
        """Set it forward, or back."""
        self.offset_s += seconds
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.offset_s:+}\n", encoding="ascii")
        new.replace(self._file)

    def environment(self) -> dict[str, str]:
        """Return what shows this clock to a process, and leaves the steady one alone."""
        faketime = needs.program_named("faketime", "faketime")
        preload = subprocess.run(
            [faketime, "-m", "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, check=True
        )
        return {
            "LD_PRELOAD": preload.stdout.decode().strip(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }


class House:
    """A node that lives behind such a clock."""

    def __init__(self, program: Program, wall: Wall) -> None:
        self.program = program
        self.wall = wall

    async def is_set_by(self, seconds: int, says: str) -> None:
        """Set its clock, and wait until it says what that means."""
        self.wall.is_set_by(seconds)
        await self.program.line_with(says)

    async def arms(self) -> None:
        """Wait until it is armed once more."""
        await self.program.line_with(" arm/house  succeeded")

    async def stays_quiet(self) -> None:
        """Hear how what was begun ends, then nothing for longer than a period."""
        with trio.move_on_after(QUIET_S):
            await self.program.line_with("disarm/house  succeeded")
        heard = len(self.program.lines)
        with pytest.raises(trio.TooSlowError), trio.fail_after(QUIET_S):
            await self.program.line_with("house")
        assert self.program.lines[heard:] == []

    def memory(self) -> int:
        """Return how much of the machine's memory it has, in bytes."""
        pages = Path(f"/proc/{self.program.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * 4096


async def live_through_steps(tmp_path: Path) -> None:
    """+3 h, -1 h, -5 h, +10 years and back: each is told; then the house is armed when it is time, and never twice."""
    (tmp_path / "scheduler.toml").write_text(HOUSE, encoding="utf-8")
    wall = Wall(tmp_path)
    async with started(tmp_path, ("-m", "trioarm", "run"), wall.environment()) as program:
        house = House(program, wall)
        await house.arms()
        before = house.memory()
        await house.is_set_by(3 * HOUR_S, "went forward by")
        await house.arms()
        await house.is_set_by(-HOUR_S, "went back by")
        await house.stays_quiet()
        await house.is_set_by(-5 * HOUR_S, "was corrected by")
        await house.arms()
        await house.is_set_by(TEN_YEARS_S, "which is not believed")
        await house.stays_quiet()
        await house.is_set_by(-TEN_YEARS_S, "back on its course")
        await house.arms()
        grown = house.memory() - before
        program.process.terminate()
        code, _ = await program.end()
    assert code == 0
    assert grown < MEMORY_MAX
    check(await rows(tmp_path, "runs", "list", "--limit", "10000"))


def check(listed: list[dict[str, Any]]) -> None:
    """Nothing came in a burst, nothing twice, and what was carried out began neither too early nor too late."""
    runs = [row for row in listed if row["schedule"] in ("arm/house", "disarm/house")]
    assert len({row["id"] for row in runs}) == len(runs)
    assert len(runs) < 60, "a row for a range, not one for each of 900 occurrences"
    worked = [row for row in runs if row["state"] == "succeeded"]
    assert all(0 <= row["late_s"] <= LATE_S for row in worked), [row["late_s"] for row in worked]
    assert any(row["voided_at"] for row in runs)
    assert sum(row["occurrences"] for row in runs if row["state"] == "superseded") > 700


def main() -> None:
    """Live through all steps once, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        trio.run(live_through_steps, Path(folder))
    print("each step was told, nothing ran twice, and after each the house was armed in time")


if __name__ == "__main__":
    main()
