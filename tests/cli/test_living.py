"""Commands from a second terminal, on the store that a real node lives on, and on one that nobody lives on."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.cli.programs import DEADLINE_S, command, node, rows, said, started

SECOND = timedelta(seconds=1)
TICK = timedelta(milliseconds=200)
HOUSE = """
[site.home]
timezone = "Europe/Prague"

[partition.house]
site = "home"
allow_disarm = true
panel = { kind = "virtual", exit_delay = "1s" }

[[schedule]]
name = "weeknight"
partition = "house"
target = "armed_night"
weekly = { days = ["mon"], at = "22:30" }

[[schedule]]
name = "beat"
handler = "log"
every = "200ms"

[[schedule]]
name = "tick"
handler = "log"
every = "200ms"

[[schedule]]
name = "hourly"
handler = "log"
every = "1h"

[[schedule]]
name = "slow"
handler = "command"
args = { argv = ["/bin/sleep", "30"] }
every = "1h"
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with a scheduler.toml."""
    (tmp_path / "scheduler.toml").write_text(HOUSE)
    return tmp_path


def at(text: str) -> datetime:
    """Return an instant of a listing."""
    return datetime.fromisoformat(text)


async def told(folder: Path, *words: str) -> datetime:
    """Run a command to its end, and return when that was."""
    await said(folder, *words)
    return datetime.now(UTC)


async def soon(folder: Path, since: datetime) -> timedelta:
    """Return a second, and for how long the node was held up at most by whatever else the machine does.

    Args:
        folder: of the node.
        since: from then until now, as shown by ticks, which it knew long before.
    """
    began, now = [since], datetime.now(UTC)
    with trio.fail_after(DEADLINE_S):
        while began[-1] < now:
            ticks = await rows(folder, "runs", "list", "tick", "--limit", "1000")
            began = sorted([since, *(at(tick["started_at"]) for tick in ticks if tick["started_at"])])
    pauses = [later - earlier for earlier, later in pairwise(began) if later > since]
    return SECOND + max(pauses) - TICK


class TestWithinASecond:
    """What a second terminal says, the running node does within a second, shown by the timestamps of both."""

    async def test_fire(self, house: Path) -> None:
        """A fired run has begun in the node less than a second after the command kept it."""
        async with node(house):
            for _ in range(5):
                began = datetime.now(UTC)
                fired = await said(house, "schedules", "fire", "hourly")
                kept = datetime.now(UTC)
                run_id = fired.split(": ")[1].strip()
                with trio.fail_after(DEADLINE_S):
                    while (run := (await rows(house, "runs", "show", run_id))[0])["state"] != "succeeded":
                        pass
                assert at(run["started_at"]) < kept + await soon(house, began)

    async def test_pause(self, house: Path) -> None:
        """After a pause is committed nothing of the schedule runs, though it is due five times a second."""
        async with node(house) as program:
            await program.line_with('"schedule": "beat"')
            paused = await told(house, "schedules", "pause", "beat", "--note", "guests", "--as", "anna")
            [shown] = await rows(house, "schedules", "show", "beat")
            assert (shown["state"], shown["paused_by"], shown["paused_why"]) == ("paused", "anna", "guests")
            later = paused + SECOND
            with trio.fail_after(DEADLINE_S):
                while at((await rows(house, "runs", "list", "tick", "--limit", "1"))[0]["due_at"]) < later:
                    pass
            runs = await rows(house, "runs", "list", "beat", "--limit", "5")
            assert max(at(run["due_at"]) for run in runs) <= paused
            resumed = await told(house, "schedules", "resume", "beat")
            began: list[datetime] = []
            with trio.fail_after(DEADLINE_S):
                while not began:
                    worked = await rows(house, "runs", "list", "beat", "--limit", "1000", "--state", "succeeded")
                    began = [begun for run in worked if (begun := at(run["started_at"])) > later]
            assert min(began) < resumed + await soon(house, later)

    async def test_skip(self, house: Path) -> None:
        """The occurrence that is skipped seconds before it is due is decided skipped, and says who wanted it."""
        async with node(house) as program:
            for wait_s in (3, 9, 27, 81):  # for two commands, however much else the machine does
                name, due_at = f"in-{wait_s}", datetime.now(UTC) + timedelta(seconds=wait_s)
                await said(house, "schedules", "add", name, "--once", due_at.isoformat(), "--handler", "log")
                _, out, _ = await command(house, "schedules", "skip", name, "--note", "not today")
                if datetime.now(UTC) < due_at:
                    break
            assert f"{name}: skipped" in out
            decided = json.loads(await program.line_with(f"{name}  skipped"))
            assert "somebody asked for it" in decided["message"]
            assert due_at <= at(decided["at"]) < due_at + await soon(house, due_at)
            [run] = await rows(house, "runs", "list", name)
            assert (run["state"], run["reason"], run["started_at"]) == ("skipped", "user", None)

    async def test_partitions_arm(self, house: Path) -> None:
        """The node tells of what a person did to a partition within a second after the panel changed."""
        async with node(house) as program:
            await program.line_with("house: disarmed")
            began = datetime.now(UTC)
            assert "house: arming (armed_away), by anna" in await said(
                house, "partitions", "arm", "house", "--as", "anna"
            )
            arming = json.loads(await program.line_with("house: arming (armed_away), by anna"))
            armed = json.loads(await program.line_with("house: armed_away, by anna"))
            [status] = await rows(house, "partitions", "list")
            assert (status["reported"], status["changed_by"]) == ("armed_away", "anna")
            assert abs(at(armed["at"]) - at(status["changed_at"])) < await soon(house, began)
            assert at(arming["at"]) < at(armed["at"])

    async def test_cancel(self, house: Path) -> None:
        """A run that works is cancelled by its node within a second, and says that somebody asked for it."""
        async with node(house):
            run_id = (await said(house, "schedules", "fire", "slow")).split(": ")[1].strip()
            with trio.fail_after(DEADLINE_S):
                while (await rows(house, "runs", "show", run_id))[0]["state"] != "running":
                    pass
            began = datetime.now(UTC)
            asked = await told(house, "runs", "cancel", run_id)
            with trio.fail_after(DEADLINE_S):
                while (run := (await rows(house, "runs", "show", run_id))[0])["state"] == "running":
                    pass
            assert (run["state"], run["reason"]) == ("cancelled", "user")
            assert at(run["finished_at"]) < asked + await soon(house, began)


class TestBeside:
    async def test_fire_waits_for_the_end(self, house: Path) -> None:
        """`fire --wait` ends when the run has ended, with 1 unless it succeeded."""
        async with node(house):
            assert ": succeeded" in await said(house, "schedules", "fire", "hourly", "--wait")
            args = ("--args", '{"argv": ["/bin/false"]}', "--set", "retry={ max_retries = 0 }")
            await said(house, "schedules", "add", "broken", "--every", "1h", "--handler", "command", *args)
            code, out, _ = await command(house, "schedules", "fire", "broken", "--wait")
            assert code == 1
            assert "failed: no retry is left" in out

    async def test_following_tells_each_run_once_as_it_changes(self, house: Path) -> None:
        """`runs list --follow` tells of runs as they begin and end, and ends with 0 on Ctrl+C."""
        words = ("-m", "trioarm", "runs", "list", "hourly", "--follow", "--json")
        async with node(house), started(house, words) as following:
            ids = set()
            await said(house, "runs", "list")  # the follower has begun by the time another program has come and gone
            for _ in range(3):
                fired = (await said(house, "schedules", "fire", "hourly")).split(": ")[1].strip()
                ids.add(fired)
                await following.line_with('"succeeded"')
            following.process.send_signal(signal.SIGINT)
            assert await following.end() == (0, "")
        told: list[tuple[str, str]] = [(row["id"], row["state"]) for row in map(json.loads, following.lines)]
        assert len(told) == len(set(told))
        assert {run_id for run_id, state in told if state == "succeeded"} == ids

    async def test_two_commands_at_once_both_count(self, house: Path) -> None:
        """Commands that change one schedule at the same time both happen, whoever is faster."""
        async with node(house):
            codes: list[int] = []

            async def change(*words: str) -> None:
                codes.append((await command(house, *words))[0])

            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(change, "schedules", "fire", "hourly", "--as", f"person {number}")
                nursery.start_soon(change, "schedules", "pause", "hourly")
            assert codes == [0, 0, 0, 0]
            [shown] = await rows(house, "schedules", "show", "hourly")
            assert shown["state"] == "paused"
            assert len(shown["last_runs"]) == 3

    async def test_a_node_takes_over_what_was_asked_before_it_started(self, house: Path) -> None:
        """Without a node commands are kept: it says so, and the first node carries them out."""
        await said(house, "schedules", "add", "own", "--every", "1h", "--handler", "log")
        code, out, remark = await command(house, "schedules", "fire", "own")
        assert (code, remark) == (0, "no node is running: it begins once one does\n")
        [waiting] = await rows(house, "runs", "list", "own")
        assert waiting["state"] == "pending"
        async with node(house) as program:
            await program.line_with("own  succeeded")
        [done] = await rows(house, "runs", "list", "own")
        assert (done["id"], done["state"]) == (out.split(": ")[1].strip(), "succeeded")

    async def test_declared_schedules_are_removed_in_their_file(self, house: Path) -> None:
        """Removing a declared schedule is refused and names the file; one's own goes, and its runs stay (S5.8)."""
        async with node(house):
            await said(house, "schedules", "add", "own", "--every", "1h", "--handler", "log")
            await said(house, "schedules", "fire", "own", "--wait")
            code, _, error = await command(house, "schedules", "remove", "beat", "own")
            assert code == 2
            assert error == "error: beat is declared in scheduler.toml: remove it there, or set enabled = false\n"
            assert [row["name"] for row in await rows(house, "schedules", "list", "own")] == []
            assert len(await rows(house, "runs", "list", "own")) == 1


class TestStatus:
    async def test_it_is_down_healthy_and_down_again(self, house: Path) -> None:
        """No store, a living node, one that left, one that was killed: 4, 0, 4, 4."""
        assert (await command(house, "status", "--probe"))[0] == 4
        began = datetime.now(UTC)
        async with node(house) as program:
            alive_by = datetime.now(UTC)
            code, out, _ = await command(house, "status", "--probe")
            assert (code, out.count("\n")) == (0, 1)
            assert out.startswith("healthy: 1 node, next is ")
            [status] = await rows(house, "status")
            [seen] = status["nodes"]
            assert seen["alive"]
            assert began <= at(seen["since_at"]) <= alive_by
            program.process.terminate()
            assert await program.process.wait() == 0
        assert (await command(house, "status", "--probe"))[:2] == (
            4,
            "down: no node is alive: start one with `trioarm run`\n",
        )
        async with node(house) as program:
            program.process.kill()
            await program.process.wait()
        code, out, _ = await command(house, "status")
        assert code == 4
        assert "its process has ended" in " ".join(out.split())

    async def test_it_is_degraded_while_work_is_overdue(self, house: Path) -> None:
        """A node that may not begin leaves schedules undecided: exit code 1, and which ones."""
        await said(house, "schedules", "add", "own", "--every", "1h", "--handler", "log")
        async with node(house, "--set", "scheduler.auto_start=false"):
            with closing(sqlite3.connect(house / "trioarm.db")) as file:
                own = "(SELECT key FROM schedules WHERE name = 'own')"
                file.execute(f"UPDATE cursors SET wake_at = wake_at - 3720 * 1000000 WHERE key = {own}")
                file.commit()
            code, out, _ = await command(house, "status", "--json")
            found: dict[str, Any] = json.loads(out)
            assert (code, found["level"], found["undecided"]) == (1, "degraded", ["own"])
            assert "nobody decides about own (due " in found["reasons"][0]
