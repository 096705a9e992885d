"""The real program through nights in which clocks change: what `preview` said is what handlers wrote down (S4.3).

`python -m tests.crash.nights --minutes 90` looks at more of each night than a test has time for, and prints what it
compared. The clock runs sixty times as fast: faster, a lease of thirty seconds is always over before it is renewed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs

from tests import needs
from tests.cli.programs import environment

SPEED: Final = 60
STOPS = timedelta(minutes=4)  # left out at the end: the node stops
STARTS: Final = 4  # of a node that was not there before the change, each twice as long before it
LOST: Final = ("could not be renewed in time", "did not renew its lease in time")  # what a node says that was too slow
EVIDENCE: Final = "evidence"
SCHEDULES: Final = {
    "early": 'cron = "45 1 * * *"',
    "at-two": 'cron = "0 2 * * *"',
    "in-it": 'cron = "15 2 * * *"',
    "late": 'cron = "30 2 * * *"',
    "after": 'cron = "0 3 * * *"',
    "shifted": 'cron = "20 2 * * *"\ngap = "shift"',
    "left-out": 'cron = "10 2 * * *"\ngap = "skip"',
    "second": 'cron = "40 1 * * *"\nfold = "second"',
    "both": 'weekly = { days = ["sun"], at = ["01:35", "02:05"] }\nfold = "both"',
    "quarters": 'cron = "*/15 * * * *"',
    "hourly": 'cron = "25 * * * *"',
    "real-time": 'every = "20m"',
    "standard": 'cron = "50 1,2 * * *"\ndst = false',
    "not-sundays": 'exclude = [ { cron = "*/30 * * * *" }, { days = ["sat"] } ]',
}


@attrs.frozen
class Night:
    """A zone, and the instant in UTC at which its clocks change."""

    zone: str
    change: datetime

    def __str__(self) -> str:
        return f"{self.zone} {self.change:%Y-%m-%d}"


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHTS: Final = (
    Night("Europe/Prague", _utc("2027-03-28T01:00")),
    Night("Europe/Prague", _utc("2026-10-25T01:00")),
    Night("America/New_York", _utc("2027-03-14T07:00")),
    Night("America/New_York", _utc("2026-11-01T06:00")),
    Night("Australia/Lord_Howe", _utc("2026-10-03T15:30")),
    Night("Australia/Lord_Howe", _utc("2027-04-03T15:00")),
)


@attrs.define
class Vigil:
    """A node that lives through a night, and was there before the change.

    Args:
        night: which.
        folder: of its files.
        end: when it stops.
        foreseen: what `preview` said.
        process: the node.
        said: its lines until it had started, the last one of which says so.
    """

    night: Night
    folder: Path
    end: datetime
    foreseen: list[dict[str, str]]
    process: subprocess.Popen[str]
    said: list[str]

    @classmethod
    def begin(cls, night: Night, folder: Path, before: timedelta, after: timedelta) -> Vigil:
        """Start a node so long before the change, or longer on a slow machine, to end so long after it."""
        for number in range(STARTS):
            vigil = cls._started(night, folder / str(number), before * 2**number, after)
            if vigil.ready_at < night.change:
                return vigil
            vigil.process.kill()
            vigil.process.communicate()
        raise AssertionError(f"{night}: the node starts too slowly")

    @classmethod
    def _started(cls, night: Night, folder: Path, before: timedelta, after: timedelta) -> Vigil:
        folder.mkdir(parents=True)
        start = night.change - before
        (folder / "scheduler.toml").write_text(_file(night.zone, folder / EVIDENCE), encoding="utf-8")
        foreseen = _foresee(folder, start)
        lasts_s = round((before + after).total_seconds())
        faketime = needs.program_named("faketime", "faketime")
        command = [faketime, "-f", f"@{start:%Y-%m-%d %H:%M:%S} x{SPEED}"]
        command += [sys.executable, "-m", "trioarm", "run", "--for", f"{lasts_s}s"]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment({"TZ": "UTC"}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return cls(night, folder, night.change + after, foreseen, process, list(_until_started(process)))

    @property
    def ready_at(self) -> datetime:
        """When it had started."""
        return datetime.fromisoformat(self.said[-1][: len("2026-10-25 01:00:00+00:00")])

    def happened(self) -> set[tuple[str, str]]:
        """Return what handlers wrote down, once the node has ended.

        A node that lost its lease begins once more what it was at: it says so, and the attempts are told apart (S2.2).
        """
        rest, _ = self.process.communicate()
        said = "\n".join(self.said) + rest
        assert self.process.returncode == 0, said
        lines = [line.split() for line in (self.folder / EVIDENCE).read_text(encoding="utf-8").splitlines()]
        assert len({*map(tuple, lines)}) == len(lines), "an attempt was made twice"
        again = [run for run, attempt in lines if attempt != "1"]
        assert not again or any(text in said for text in LOST), f"{again} began again for no reason:\n{said}"
        occurrences = (run.partition("@") for run, _ in lines)
        return {(name, at) for name, _, at in occurrences if self._is_compared(at)}

    def foretold(self) -> set[tuple[str, str]]:
        """Return what `preview` said will run in the same night, before it came."""
        return {
            (row["schedule"], row["due_at"])
            for row in self.foreseen
            if row["decision"] == "run" and self._is_compared(row["due_at"])
        }

    def _is_compared(self, due_at: str) -> bool:
        """Whether an instant is neither so early that the node was not there yet, nor so late that it was stopping."""
        return self.ready_at < datetime.fromisoformat(due_at) <= self.end - STOPS


def _until_started(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line.rstrip()
        if " started: " in line:
            return
    raise AssertionError("it ended before it had started")


def _foresee(folder: Path, start: datetime) -> list[dict[str, str]]:
    command = [sys.executable, "-m", "trioarm", "preview", "--json", "--all", "--days", "0.2"]
    command += ["--from", f"{start:%Y-%m-%dT%H:%M:%SZ}"]
    said = subprocess.run(
        command, cwd=folder, env=environment({"TZ": "UTC"}), capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in said.stdout.splitlines()]


def _file(zone: str, evidence: Path) -> str:
    patience = 'tolerance = "30m"\nmax_concurrent = 100\n[executor]\ntimeout = "1h"\nqueue_timeout = "1h"'
    return "\n".join([f'[scheduler]\ntimezone = "{zone}"\n{patience}', *_tables(evidence)])


def _tables(evidence: Path) -> Iterator[str]:
    write = json.dumps(f'echo "$TRIOARM_RUN_ID $TRIOARM_ATTEMPT" >> {evidence}')
    for name, trigger in SCHEDULES.items():
        yield f'[[schedule]]\nname = "{name}"\nhandler = "command"\nargs = {{ argv = ["/bin/sh", "-c", {write}] }}'
        yield f'overlap = "allow"\n{trigger}\n'


def watch(root: Path, before: timedelta, after: timedelta) -> list[Vigil]:
    """Let the program live through all nights at once."""
    with ThreadPoolExecutor(len(NIGHTS)) as pool:  # each waits until its node has started
        begun = [
            pool.submit(Vigil.begin, night, root / str(number), before, after) for number, night in enumerate(NIGHTS)
        ]
    return [vigil.result() for vigil in begun]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=90, help="how long before and after each change")
    around = timedelta(minutes=parser.parse_args().minutes)
    with tempfile.TemporaryDirectory() as root:
        wrong = 0
        for vigil in watch(Path(root), around, around):
            happened, foretold = vigil.happened(), vigil.foretold()
            print(f"{vigil.night}: {len(foretold)} foretold, {len(happened)} happened")
            for name, at in sorted(happened ^ foretold, key=lambda one: one[1]):
                wrong += 1
                print(f"  {name} at {at}: {'not foretold' if (name, at) in happened else 'did not happen'}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
