"""Exceptions from a second terminal, on a store that a node lives on, and on one that nobody lives on."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.arming.test_exceptions import TOML
from tests.cli.programs import DEADLINE_S, command, node, rows, said

GUESTS = ("exceptions", "add", "--on", "2040-12-24", "--tag", "evening", "--at", "23:45", "--as", "anna")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with a scheduler.toml."""
    (tmp_path / "scheduler.toml").write_text(TOML)
    return tmp_path


async def rules(folder: Path) -> str:
    """Return the rules of the schedules that are stored, one after the other."""
    return await said(folder, "schedules", "list", "night")


async def test_without_a_node_what_is_stored_is_so_at_once(house: Path) -> None:
    """And everything that looks ahead knows it; taken back, all is as before."""
    await said(house, "run", "--for", "10ms")
    before = await rules(house)
    assert await said(house, *GUESTS, "--note", "guests") == "exception 1: at 23:45 on 2040-12-24 for tag/evening\n"
    assert "night/house/e1" in await rules(house)
    shown = await rows(house, "preview", "night", "--from", "2040-12-24T00:00:00Z", "--days", "1")
    assert [(one["due_at"], one["decision"], one["exception"]) for one in shown] == [
        ("2040-12-24T21:30:00Z", "skipped", "exception 1 of anna: guests"),
        ("2040-12-24T22:45:00Z", "run", "exception 1 of anna: guests"),
    ]
    [kept] = await rows(house, "exceptions", "list")
    assert (kept["number"], kept["author"], kept["declared"], kept["at"]) == (1, "anna", False, "23:45")
    await said(house, "exceptions", "remove", "1")
    assert (await rules(house)).split("RULE")[1].split()[-8:] == before.split("RULE")[1].split()[-8:]
    assert await rows(house, "exceptions", "list") == []


async def test_a_node_that_runs_takes_it_over(house: Path) -> None:
    """Also what a command only notes, because the file has changed meanwhile and the command does not declare it."""
    async with node(house):
        await said(house, *GUESTS)
        assert "night/house/e1" in await rules(house)
        (house / "scheduler.toml").write_text(TOML.replace("22:30", "22:00"))
        code, out, remark = await command(house, *GUESTS[:2], "skip", "--on", "2040-12-25", "--site", "home")
        assert (code, out) == (0, "exception 2: skip on 2040-12-25 for site/home\n")
        assert "it counts from when the node that runs notices" in remark
        with trio.fail_after(DEADLINE_S):
            while "exception 2 of" not in (found := await rules(house)):
                pass
        assert "22:30" in found, "what the file says now waits for a reload"


async def test_what_the_file_declares_stays_until_it_is_not_there(house: Path) -> None:
    """A command does not take it back, and a store that nobody has declared anything in only notes what is said."""
    text = TOML + '\n[[exception]]\non = "2040-12-24"\nsite = "home"\nskip = true\n'
    (house / "scheduler.toml").write_text(text)
    code, _, remark = await command(house, *GUESTS)
    assert (code, "the next one starts" in remark) == (0, True)
    await said(house, "run", "--for", "10ms")
    assert [one["declared"] for one in await rows(house, "exceptions", "list")] == [False, True]
    code, _, errors = await command(house, "exceptions", "remove", "2")
    assert code != 0
    assert "exception 2 is declared in the configuration file: remove it there" in errors
    shown = await rows(house, "preview", "night", "--from", "2040-12-24T00:00:00Z", "--days", "1")
    assert [one["decision"] for one in shown] == ["skipped", "run"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("skip", "--on", "2040-12-24"), "0 of --site, --tag and --schedule are given"),
        (("skip", "--on", "yule", "--site", "home"), '"yule" is no date'),
        (("sip", "--on", "2040-12-24", "--site", "home"), '"sip" is neither skip nor vacation; did you mean skip?'),
        (("skip", "--on", "2040-12-24", "--site", "home", "--treat-as", "holiday"), "it is one of them"),
        (("--on", "2040-12-24", "--site", "home", "--treat-as", "x"), '"x" is neither holiday nor workday'),
        (("--on", "2040-12-24", "--tag", "evening", "--target", "shut"), '--target: "shut" is none'),
        (("--on", "2040-12-24", "--tag", "evening", "--target", "armed_night"), "nothing of tag/evening would be any"),
        (("--on", "2040-12-24", "--site", "home", "--treat-as", "holiday"), "nothing of site/home would be any"),
        (("skip", "--on", "2020-12-24", "--site", "home"), "error: 2020-12-24 is over"),
    ],
)
async def test_what_means_nothing_is_refused(words: tuple[str, ...], error: str, house: Path) -> None:
    """In one line, and nothing is kept."""
    code, out, errors = await command(house, "exceptions", "add", *words)
    assert (code != 0, out) == (True, "")
    assert error in errors
    assert len(errors.splitlines()) == 1
