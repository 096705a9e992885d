"""`trioarm conditions list`, and where conditions show in previews, explanations and sheets, by real processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.programs import command
from tests.config.writing import write
from tests.links.broker import a_broker

HOUSE = """
[site.home]
timezone = "Europe/Prague"
[partition.house]
site = "home"
panel = { kind = "virtual", exit_delay = "0s" }
"""
SEEN = (
    HOUSE
    + """
[mqtt.home]
host = "127.0.0.1"
port = PORT
[condition.somebody_home]
kind = "mqtt"
broker = "home"
topic = "presence/house"
yes = ["home"]
no = ["away"]
timeout = "5s"
[condition.open]
kind = "partition"
partition = "house"
yes = ["disarmed"]
[condition.lost]
kind = "command"
run = ["sh", "-c", "echo no answer; exit 3"]
[[schedule]]
name = "night"
partition = "house"
target = "armed_away"
only_if = ["open"]
not_if = ["somebody_home"]
otherwise = "armed_night"
weekly = { days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], at = "22:30" }
"""
)


async def test_each_condition_says_what_it_says_now(tmp_path: Path) -> None:
    """A table for people, a line of JSON each for programs; no node is needed."""
    with a_broker(tmp_path) as broker:
        broker.put("presence/house", "home", retain=True)
        write(tmp_path, SEEN.replace("PORT", str(broker.port)))
        code, printed, errors = await command(tmp_path, "conditions", "list")
        assert (code, errors) == (0, "")
        assert [" ".join(line.split()) for line in printed.splitlines()] == [
            "NAME ASKS SAYS WHY",
            'somebody_home mqtt home: presence/house yes presence/house says "home"',
            "open partition house yes house is disarmed",
            "lost command sh unknown sh ended with 3: it said no answer",
        ]
        code, printed, _ = await command(tmp_path, "conditions", "list", "--json")
        found = [json.loads(line) for line in printed.splitlines()]
        assert [(one["name"], one["says"]) for one in found] == [
            ("somebody_home", "yes"),
            ("open", "yes"),
            ("lost", "unknown"),
        ]
        assert found[2] == {
            "name": "lost",
            "asks": "command sh",
            "says": "unknown",
            "why": "sh ended with 3: it said no answer",
        }


async def test_what_depends_on_conditions_shows_them(tmp_path: Path) -> None:
    """In the preview, in words and as the arguments of its schedule."""
    write(tmp_path, SEEN.replace("PORT", "1"))
    words = "only if open and not if somebody_home, otherwise armed_night"
    _, printed, _ = await command(tmp_path, "preview", "--days", "1")
    assert f"house → armed_away, {words}" in printed
    _, printed, _ = await command(tmp_path, "preview", "--days", "1", "--json")
    assert json.loads(printed.splitlines()[0])["conditions"] == {
        "only_if": ["open"],
        "not_if": ["somebody_home"],
        "otherwise": "armed_night",
    }
    _, printed, _ = await command(tmp_path, "explain", "night")
    assert f"depends   {words}" in printed
    await command(tmp_path, "run", "--for", "10ms")
    _, printed, _ = await command(tmp_path, "schedules", "show", "night")
    assert f"depends   {words}" in printed


async def test_a_house_without_conditions_is_told_how_to_have_one(tmp_path: Path) -> None:
    """Where people look first."""
    write(tmp_path, HOUSE)
    code, printed, errors = await command(tmp_path, "conditions", "list")
    assert (code, printed) == (0, "")
    assert "no condition is configured" in errors


@pytest.mark.parametrize("setting", ['only_if=["opne"]', "otherwise=armed_home"])
async def test_what_is_added_by_command_is_judged_like_what_is_declared(setting: str, tmp_path: Path) -> None:
    """The same words, by the same reader."""
    write(tmp_path, SEEN.replace("PORT", "1"))
    tonight = ("schedules", "add", "tonight", "--once", "2h", "--partition", "house", "--target", "armed_away")
    code, _, errors = await command(tmp_path, *tonight, "--set", setting)
    assert code != 0
    assert ("did you mean open?" if "opne" in setting else "is of no use without only_if or not_if") in errors
    code, _, _ = await command(tmp_path, *tonight, "--set", 'only_if=["open"]')
    assert code == 0
    _, printed, _ = await command(tmp_path, "schedules", "show", "tonight/house")
    assert "depends   only if open" in printed


async def test_a_program_that_is_not_there_is_told_by_check(tmp_path: Path) -> None:
    """Before it is missed at night."""
    write(tmp_path, SEEN.replace("PORT", "1").replace('["sh",', '["/nowhere/at-all",'))
    _, printed, errors = await command(tmp_path, "check")
    assert "condition.lost.run: " in printed + errors
    assert "condition.lost: no schedule depends on it" in printed + errors
