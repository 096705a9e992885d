"""`trioarm run` as a process: what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from tests.cli.programs import DEADLINE_S, started

RUN = ("-m", "trioarm", "run")
JUST_NOW = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()

NAP = f"""
[[schedule]]
name = "nap"
handler = "command"
args = {{ argv = ["/bin/sleep", "SECONDS"] }}
once = "{JUST_NOW}"
"""


LONG = f"""
[[schedule]]
name = "nap"
handler = "command"
args = {{ argv = ["/bin/sh", "-c", "until test -e awake; do sleep 0.05; done"] }}
once = "{JUST_NOW}"
"""


def napping(folder: Path, seconds: str) -> None:
    (folder / "scheduler.toml").write_text(NAP.replace("SECONDS", seconds))


class TestEnding:
    async def test_the_first_sigterm_lets_runs_end(self, tmp_path: Path) -> None:
        """A run that works when SIGTERM comes ends by itself, and the exit code is 0 (S8.2)."""
        (tmp_path / "scheduler.toml").write_text(LONG)
        async with started(tmp_path, (*RUN, "--set", "log.level=debug")) as program:
            await program.line_with("nap  running")
            program.process.send_signal(signal.SIGTERM)
            stopping = await program.line_with("SIGTERM: stopping")
            assert "1 run may go on for 30 s" in stopping
            (tmp_path / "awake").touch()
            await program.line_with("nap  succeeded")
            assert "runs: 1 succeeded" in await program.line_with("stopped after")
            assert await program.end() == (0, "")

    async def test_one_that_stops_while_it_still_begins_complains_of_nothing(self, tmp_path: Path) -> None:
        """What it was about to look at is closed then: that is no error."""
        napping(tmp_path, "0")
        for _ in range(4):  # it depends on moments
            async with started(tmp_path, (*RUN, "--for", "1ms")) as program:
                assert await program.end() == (0, "")
            assert [line for line in program.lines if "error" in line] == []

    async def test_the_second_signal_cancels_at_once(self, tmp_path: Path) -> None:
        """What still works at the second signal is cancelled and given back, and the exit code is 3 (S8.2)."""
        napping(tmp_path, "60")
        async with started(tmp_path, (*RUN, "--set", "log.level=debug")) as program:
            await program.line_with("nap  running")
            program.process.send_signal(signal.SIGINT)
            await program.line_with("SIGINT: stopping")
            program.process.send_signal(signal.SIGTERM)
            await program.line_with("SIGTERM: cancelling")
            assert "runs: 1 given back" in await program.line_with("stopped after")
            assert await program.end() == (3, "")

    async def test_a_drain_deadline_that_is_hit_is_exit_code_3(self, tmp_path: Path) -> None:
        """A run that has not ended when the drain deadline comes is cancelled, and the exit code tells (S8.2)."""
        napping(tmp_path, "60")
        settings = ("--set", "log.level=debug", "--set", "scheduler.drain=0s")
        async with started(tmp_path, (*RUN, *settings)) as program:
            await program.line_with("nap  running")
            program.process.send_signal(signal.SIGTERM)
            assert await program.end() == (3, "")

    async def test_for_ends_after_that_time(self, tmp_path: Path) -> None:
        """`--for` drains once the time is over, also without the word `run`; heartbeats ran until then."""
        (tmp_path / "scheduler.toml").write_text('[[schedule]]\nname = "beat"\nhandler = "log"\nevery = "200ms"\n')
        async with started(tmp_path, ("-m", "trioarm", "--for", "800ms", "--store", "memory://")) as program:
            assert "1 schedule, next is beat at" in await program.line_with("started")
            await program.line_with("memory://")
            assert "late, took" in await program.line_with("beat  succeeded")
            await program.line_with("800 ms are over: stopping")
            assert "succeeded" in await program.line_with("stopped after")
            assert await program.end() == (0, "")

    async def test_until_idle_ends_when_nothing_is_left(self, tmp_path: Path) -> None:
        """`--until-idle` ends once what was due has run, though a schedule is due beyond the check interval."""
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        text = f'[[schedule]]\nname = "later"\nhandler = "log"\nonce = "{later}"\n'
        napping(tmp_path, "0.1")
        with (tmp_path / "scheduler.toml").open("a") as file:
            file.write(text)
        async with started(tmp_path, (*RUN, "--until-idle")) as program:
            await program.line_with("nap  succeeded")
            await program.line_with("idle: stopping")
            assert await program.end() == (0, "")

    async def test_a_log_that_nobody_reads_stops_nothing(self, tmp_path: Path) -> None:
        """When the reader of stdout goes away, the node goes on until it is told to stop."""
        beats = tmp_path / "beats"
        argv = ["/bin/sh", "-c", f"echo beat >> {beats}"]
        (tmp_path / "scheduler.toml").write_text(
            f'[[schedule]]\nname = "beat"\nhandler = "command"\nargs = {{ argv = {argv} }}\nevery = "50ms"\n'
        )
        async with started(tmp_path, RUN) as program:
            await program.line_with("beat  succeeded")
            assert program.process.stdout is not None
            before = beats.read_text().count("beat")
            await program.process.stdout.aclose()
            with trio.fail_after(DEADLINE_S):
                while beats.read_text().count("beat") <= before + 2:
                    os.sched_yield()
                    await trio.lowlevel.checkpoint()
                program.process.send_signal(signal.SIGTERM)
                assert await program.process.wait() == 0


STUCK = """
import os
import signal
import sys
import trio
from trioarm import Every, Schedule, SchedulerConfig
from trioarm.cli.node import Until
from trioarm.cli.run import run_node
from trioarm.config import SchedulerSettings

async def deaf(run):
    os.kill(os.getpid(), signal.SIGTERM)
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()

config = SchedulerConfig(
    scheduler=SchedulerSettings(drain_s=0.0),
    schedules=(Schedule("stuck", Every(0.1), handler="deaf"),),
)
sys.exit(run_node(config, Until(), {"deaf": deaf}))
"""


async def test_a_handler_that_never_ends_is_named_and_left(tmp_path: Path) -> None:
    """A handler that ignores its cancellation for ever does not keep the process: it is named, exit code 3."""
    (tmp_path / "stuck.py").write_text(STUCK)
    async with started(tmp_path, ("stuck.py",)) as program:
        await program.line_with("leaving by force: 'deaf' ignores its cancellation")
        assert await program.end() == (3, "")


class TestTelling:
    async def test_panels_are_followed(self, tmp_path: Path) -> None:
        """Each state a partition reports is a line: arming, then armed, then its run has succeeded."""
        (tmp_path / "scheduler.toml").write_text(
            f"""
            [site.home]
            timezone = "Europe/Prague"
            [partition.house]
            site = "home"
            panel = {{ exit_delay = "500ms" }}
            [[schedule]]
            name = "evening"
            partition = "house"
            target = "armed_night"
            once = "{datetime.now(UTC).isoformat()}"
            """
        )
        async with started(tmp_path, (*RUN, "--until-idle")) as program:
            await program.line_with("house: arming (armed_night)")
            await program.line_with("house: armed_night")
            await program.line_with("evening/house  succeeded")
            assert await program.end() == (0, "")

    async def test_a_failure_is_told_once_with_its_cause(self, tmp_path: Path) -> None:
        """A failed attempt and a failed run are one warning each, with what the program said last."""
        (tmp_path / "scheduler.toml").write_text(
            f"""
            [[schedule]]
            name = "broken"
            handler = "command"
            args = {{ argv = ["/bin/sh", "-c", "echo no disk; exit 7"] }}
            once = "{JUST_NOW}"
            retry = {{ max_retries = 1, base = "1ms" }}
            """
        )
        async with started(tmp_path, (*RUN, "--until-idle")) as program:
            assert "no disk" in await program.line_with("broken  attempt 1 failed, next at")
            failed = await program.line_with("broken  failed: no retry is left")
            assert "warning" in failed
            assert "attempt 2" in failed
            assert "/bin/sh ended with 7: no disk" in failed
            assert await program.end() == (0, "")
            assert sum("no disk" in line for line in program.lines) == 2

    async def test_json_lines_hold_no_secret(self, tmp_path: Path) -> None:
        """With log.format = "json" each line is an object; codes and passwords of URLs are stars in it (A5.2)."""
        (tmp_path / "house.code").write_text("0815\n")
        (tmp_path / "scheduler.toml").write_text(
            f"""
            [site.home]
            timezone = "Europe/Prague"
            [partition.house]
            site = "home"
            panel = {{ code = {{ env = "HOUSE_CODE" }} }}
            [partition.garage]
            site = "home"
            panel = {{ code = {{ file = "house.code" }} }}
            [[schedule]]
            name = "talk"
            handler = "log"
            args = {{ message = 'codes "x-47\\11" and 0815, postgresql://me:hush@db/x' }}
            once = "{JUST_NOW}"
            """
        )
        settings = ("--set", "log.format=json", "--set", "features.debug=true", "--until-idle")
        async with started(tmp_path, (*RUN, *settings), {"HOUSE_CODE": '"x-47\\11"'}) as program:
            code, _ = await program.end()
        assert code == 0
        rows = [json.loads(line) for line in program.lines]
        assert all(row["at"].endswith("Z") and row["level"] and row["logger"].startswith("trioarm") for row in rows)
        messages = [row["message"] for row in rows]
        assert "codes *** and ***, postgresql://me:***@db/x" in messages
        assert any("talk: occurrence" in message and "decided claimed" in message for message in messages)
        [finished] = [row for row in rows if row.get("kind") == "run_finished"]
        assert finished["run"]["schedule"] == "talk"
        assert finished["run"]["state"] == "succeeded"


class TestRefusing:
    async def test_every_problem_is_told_before_anything_starts(self, tmp_path: Path) -> None:
        """A configuration with problems is exit code 2 with a line for each, and nothing on stdout."""
        (tmp_path / "scheduler.toml").write_text(
            """
            [scheduler]
            check_interval = "1s"
            [[schedule]]
            name = "a"
            handler = "comand"
            cron = "61 * * * *"
            [[schedule]]
            name = "b"
            handler = "nosuch"
            every = "5s"
            """
        )
        async with started(tmp_path, RUN) as program:
            code, errors = await program.end()
        assert code == 2
        assert program.lines == []
        lines = errors.splitlines()
        assert len(lines) == 4
        assert all(line.startswith("error: ") for line in lines)
        for part in ("scheduler.check_interval", 'schedule "a".cron', "did you mean command?", '"nosuch" is unknown'):
            assert part in errors

    async def test_without_a_file_it_says_how_to_get_one(self, tmp_path: Path) -> None:
        """No scheduler.toml is one line that names `trioarm init`, exit code 2."""
        async with started(tmp_path, ("-m", "trioarm")) as program:
            code, errors = await program.end()
        assert code == 2
        assert errors.count("\n") == 1
        assert "trioarm init" in errors

    @pytest.mark.parametrize("missing", ["rich", "cyclopts"])
    async def test_without_its_libraries_it_says_what_to_install(self, tmp_path: Path, missing: str) -> None:
        """A missing `cli` extra is one line with the command that installs it, exit code 2."""
        code = f"import sys; sys.modules[{missing!r}] = None; from trioarm.__main__ import main; sys.exit(main())"
        async with started(tmp_path, ("-c", code)) as program:
            exit_code, errors = await program.end()
        assert exit_code == 2
        assert errors == f"error: the command line needs {missing}: python -m pip install 'trioarm[cli]'\n"
