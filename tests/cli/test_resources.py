"""Resources and what waits, as commands show them: with no node running, in a store where one was busy."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.making import SECOND
from tests.repositories.contract.acts import claim, decide, put
from tests.repositories.test_sqlite import open_sqlite
from trioarm.cli.app import main
from trioarm.core.changes import Change, Verdict
from trioarm.core.resources import Use
from trioarm.core.schedule import Overlap
from trioarm.core.triggers import Once

CONFIGURED = """
[resource.nas]
limit = 1
[resource.mail]
gap = "5s"
rate = { runs = 10, per = "1m" }
breaker = { failures = 2, pause = "10m" }
"""


async def _be_busy(path: Path) -> None:
    """Leave a store in which one run holds the disk, another waits for it, and the mail server is away."""
    now = time.time_ns() // 1_000
    async with open_sqlite(path) as repository:
        copy = await put(repository, "copy", Once(now), next_due_at=None, overlap="buffer_all", resources=["nas"])
        first = await decide(repository, copy, now - 9 * SECOND, lane=copy.lane(Overlap.BUFFER_ALL))
        await claim(repository, first, at=now - 9 * SECOND)
        await decide(repository, copy, now - 5 * SECOND, lane=first.lane)
        for name in ("nas", "mail"):
            other = await put(repository, f"to-{name}", Once(now), next_due_at=None, resources=[name])
            await decide(repository, other, now - 2 * SECOND)
        use = Use(0, [now - 5 * SECOND], 2, now + 500 * SECOND)
        assert await repository.commit([Change(documents=[use.put("mail")])]) == [Verdict.DONE]


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a folder with such a store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("TRIOARM_CONFIG", raising=False)
    (tmp_path / "scheduler.toml").write_text(CONFIGURED)
    trio.run(_be_busy, tmp_path / "trioarm.db")


def ran(capsys: pytest.CaptureFixture[str], line: str) -> str:
    """Carry a command line out, and return what it printed."""
    assert main(shlex.split(line)) == 0
    out, errors = capsys.readouterr()
    assert errors == ""
    return str(out)


def rows(capsys: pytest.CaptureFixture[str], line: str) -> list[dict[str, Any]]:
    """Return the objects that a command line prints, one per line."""
    return [json.loads(text) for text in ran(capsys, f"{line} --json").splitlines()]


@pytest.mark.usefixtures("busy")
class TestResources:
    def test_programs_get_all_of_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Each resource is an object: its rules, who holds it, when the next may begin."""
        mail, nas = rows(capsys, "resources list")
        assert (nas["name"], nas["limit"], nas["held"], nas["free_at"], nas["breaker"]) == ("nas", 1, 1, None, None)
        assert (mail["name"], mail["held"], mail["breaker"], mail["failures"]) == ("mail", 0, "open", 2)
        assert (mail["gap_s"], mail["rate"]) == (5.0, {"runs": 10, "per_s": 60.0})
        assert mail["began_at"] < mail["free_at"]

    def test_people_get_a_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Who holds what of how much, and whether a breaker is open."""
        head, mail, nas = ran(capsys, "resources list").splitlines()
        assert head.split("  ")[0] == "NAME"
        assert "1 of 1" in nas
        assert "when one ends" in nas
        assert mail.endswith("open, 2 failed in a row")

    def test_a_run_says_what_keeps_it_waiting(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The run before it, the resource that others hold, or the breaker that is open."""
        waiting = {row["schedule"]: row["id"] for row in rows(capsys, "runs list --state pending")}
        assert "pending: it waits for the run before it" in ran(capsys, f"runs show {waiting['copy']}")
        shown = ran(capsys, f"runs show {waiting['to-nas']}")
        assert "pending: it waits for what it needs" in shown
        assert "nas: 1 of 1 runs hold it" in shown
        shown = ran(capsys, f"runs show {waiting['to-mail']}")
        assert "pending: what it needs fails at the moment" in shown
        assert "mail: 2 attempts in a row failed: its breaker is open" in shown


@pytest.mark.usefixtures("busy")
def test_where_there_is_none_a_word_says_how_to_have_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on stdout, and one line on stderr."""
    Path("scheduler.toml").write_text("")
    assert main(["resources", "list"]) == 0
    out, errors = capsys.readouterr()
    assert (out, errors) == ("", "no resource is configured: write [resource.nas] with limit = 1, for one\n")


def test_all_that_is_wrong_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in one place hides none in another: resource, handler, command and policies, a line each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scheduler.toml").write_text(
        "[resource.nas]\nlimt = 1\n[handler.comand]\nworkers = 1\n"
        '[[schedule]]\nname = "x"\nhandler = "command"\nevery = "1s"\nargs = { argv = "ls" }\n'
        'overlap = "bufer_one"\nresources = ["nsa"]\n'
    )
    assert main(["check"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "error: resource.nas.limt: unknown key; did you mean limit?",
        'error: schedule "x".resources: there is no resource "nsa"; did you mean nas?',
        'error: schedule "x".overlap: "bufer_one" is unknown; did you mean buffer_one?',
    ]
    assert lines[3].startswith('error: schedule "x".args.argv must be a list of text')
    assert lines[4:] == ['error: handler: "comand" is unknown; did you mean command?']
