"""A store that is removed or replaced beneath a real node: that is said, nothing runs twice, nothing goes astray."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.cli.programs import Program, node
from tests.crash.test_two_nodes import Said
from tests.crash.torture import kept
from trioarm import State
from trioarm.engine.leases import RENEW_S

SAY = 'printf "%s %s %s %s %s\\n" "$TRIOARM_RUN_ID" "$TRIOARM_ATTEMPT" "$TRIOARM_TOKEN" "$PPID" "$$" >> said/lines'
AT_ONCE_S = RENEW_S / 2  # without news of the file, the next renewal would notice
GONE = "was removed or replaced while it was in use: put it back, or restart the node"


def _schedule(name: str, when: str, *more: str, then: str = "true") -> str:
    argv = json.dumps(["/bin/sh", "-c", f"{SAY}; {then}"])
    lines = ["[[schedule]]", f'name = "{name}"', 'handler = "command"', f"args = {{ argv = {argv} }}", when, *more]
    return "\n".join(lines) + "\n"


def _copy(source: Path, target: Path) -> None:
    """Make a backup, as a person would."""
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(target)) as here:
        there.backup(here)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


async def _more(said: Said) -> None:
    """Wait until handlers have said more."""
    had = len(said.lines())
    await said.until(lambda lines: len(lines) >= had + 3)


async def _ended(program: Program) -> tuple[int, list[str]]:
    """Stop a node and return its exit code and its errors and warnings."""
    program.process.send_signal(signal.SIGTERM)
    code, _ = await program.end()
    lines = [json.loads(line) for line in program.lines]
    return code, [line["message"] for line in lines if line["level"] in ("error", "warning")]


async def test_an_older_store_in_its_place_makes_nothing_run_again(tmp_path: Path) -> None:
    """A backup is put over the store of a living node: it says so, leaves it as it is, and begins nothing by what it
    says; with its own store back it goes on. What the backup does not know of has run once (S2.2, S7.5)."""
    (tmp_path / "scheduler.toml").write_text(_schedule("beat", 'every = "100ms"'))
    store, backup, own = tmp_path / "trioarm.db", tmp_path / "backup.db", tmp_path / "own.db"
    said = Said(tmp_path)
    async with node(tmp_path) as program:
        await said.until(lambda lines: len(lines) >= 2)
        _copy(store, backup)
        older = backup.read_bytes()
        await _more(said)
        os.link(store, own)
        os.replace(backup, store)
        await program.line_with(GONE)
        assert store.read_bytes() == older
        os.replace(own, store)
        await program.line_with(" again")
        await _more(said)
        code, trouble = await _ended(program)
    assert code == 0
    assert len(trouble) <= 4, trouble  # the store and the engine say each that it is away, and that it is back
    lines = said.lines()
    assert len({run for run, *_ in lines}) == len(lines)
    rows, _ = await kept(store, "")
    assert {row.state for row in rows if row.started_at is not None} == {State.SUCCEEDED}
    assert len([row for row in rows if row.state is State.SUCCEEDED]) == len(lines)


async def test_a_store_that_is_removed_under_an_idle_node_is_missed_at_once(tmp_path: Path) -> None:
    """It is said though nothing is due, no other store is made in its place, and the node can be stopped; what it had
    to say of a run that went on is named as not kept, and that is an exit code (S7.5)."""
    text = _schedule(
        "long", f'once = "{_now()}"', 'delivery = "at_most_once"', then="until test -e go; do sleep 0.05; done"
    )
    (tmp_path / "scheduler.toml").write_text(text)
    said = Said(tmp_path)
    async with node(tmp_path) as program:
        await said.until(lambda lines: len(lines) == 1)
        for name in ("trioarm.db", "trioarm.db-wal", "trioarm.db-shm"):
            os.unlink(tmp_path / name)
        removed_at = time.monotonic()
        await program.line_with(GONE)
        assert time.monotonic() - removed_at < AT_ONCE_S
        (tmp_path / "go").touch()
        code, trouble = await _ended(program)
    assert code == 1
    assert [text for text in trouble if "1 outcome could not be kept: long@" in text and text.endswith("(ok)")]
    assert len([text for text in trouble if GONE in text]) <= 2
    assert "trioarm.db" not in os.listdir(tmp_path)
