"""The page on panels of kind `command` ships with the package: its programs arm a panel, its figures are true."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import attrs
import pytest
import trio

from tests.cli.programs import node, rows, said
from tests.config.writing import config_of
from trioarm.arming.commanding.verify import POLL
from trioarm.arming.model import CommandPanel, Reported, Target
from trioarm.arming.panels.base import FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.command import ANSWERS, OUTPUT_MAX, READ_WORDS, SET_WORDS, CommandDriver
from trioarm.arming.panels.printed import NAME_MAX, parse_report
from trioarm.arming.panels.virtual_state import ZONES_MAX
from trioarm.config.panel_keys import ANSWER_S_MAX
from trioarm.core.instants import SECOND, render_duration
from trioarm.links.program import TERMINATION_S, Output
from trioarm.links.secrets import MASK

PAGE = (files("trioarm") / "docs" / "panels-command.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[CONFIGURATION] = [text for language, text in BLOCKS if language == "toml"]
[PROGRAM] = [text for language, text in BLOCKS if language == "python"]
PRINTED = [text for language, text in BLOCKS if not language]

EXIT_DELAY_S = 1
PANELCTL = f'''#!{sys.executable} -IS
"""The tool of the maker: a panel with two areas, kept in a folder, that notes when it did what."""
import json, pathlib, sys, time

folder = pathlib.Path("FOLDER")
file = folder / f"area{{sys.argv[2]}}.json"
area = json.loads(file.read_text()) if file.exists() else {{"mode": "off", "by": "", "at": 0}}
zones = (folder / "open").read_text() if (folder / "open").exists() else ""
if sys.argv[1] == "mode":
    if sys.stdin.readline() != "0042\\n":
        sys.exit("wrong pin")
    if zones and sys.argv[3] != "off":
        print(zones, end="")
        sys.exit(1)
    delay = 0 if sys.argv[3] == "off" else {EXIT_DELAY_S}
    file.write_text(json.dumps({{"mode": sys.argv[3], "by": sys.argv[5], "at": time.time() + delay}}))
else:
    print("leaving" if time.time() < area["at"] else area["mode"], area["by"], zones, sep="\\n", end="")
'''


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the configuration and the program of the page, and the tool it speaks to."""
    programs = {"alarm": PROGRAM, "panelctl": PANELCTL.replace("FOLDER", str(tmp_path))}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("HOUSE_CODE", "0042")
    moved = CONFIGURATION.replace("/usr/local/bin", str(tmp_path / "bin"))
    (tmp_path / "scheduler.toml").write_text(moved, encoding="utf-8")
    return tmp_path


async def test_it_arms_a_house(house: Path) -> None:
    """A whole node: a run succeeds once the program reports the target, and not before (A3.1)."""
    async with node(house):
        await said(house, "schedules", "fire", "weeknight/house", "--wait")
    [run] = await rows(house, "runs", "list")
    area = json.loads((house / "area1.json").read_text(encoding="utf-8"))
    assert (run["state"], run["result"]["reported"], run["result"]["sends"]) == ("succeeded", "armed_away", 1)
    assert (area["mode"], area["by"]) == ("away", "trioarm")
    assert datetime.fromisoformat(run["finished_at"]).timestamp() >= area["at"]


def driver_of(house: Path) -> CommandDriver:
    """Return the driver of the partition `house`."""
    partition = config_of(house, (house / "scheduler.toml").read_text(encoding="utf-8")).premises.partitions["house"]
    assert isinstance(partition.panel, CommandPanel)
    return CommandDriver(partition.panel, partition.name, partition.address, partition.code)


async def test_its_program_keeps_the_contract(house: Path) -> None:
    """It says who; a wrong code, a mode it does not have, open zones and a lost tool are told apart."""
    driver = driver_of(house)
    with trio.fail_after(60):
        for target, code in ((Target.ARMED_AWAY, "0815"), (Target.ARMED_VACATION, "0042")):
            with pytest.raises(PanelFailure, match=r"wrong pin|no such mode") as refused:
                await driver.command(target, code)
            assert refused.value.kind is FailureKind.REJECTED
        await driver.command(Target.DISARMED, "0042", "anna")
        assert await driver.read_state() == PanelReport(state=Reported.DISARMED, changed_by="anna")
        (house / "open").write_text("Kitchen window\nBack door\n", encoding="utf-8")
        with pytest.raises(PanelFailure) as blocked:
            await driver.command(Target.ARMED_HOME, "0042")
        assert (blocked.value.kind, blocked.value.zones) == (FailureKind.BLOCKED, ("Kitchen window", "Back door"))
        assert (await driver.read_state()).open_zones == blocked.value.zones
        (house / "bin" / "panelctl").unlink()
        for call in (driver.read_state, lambda: driver.command(Target.ARMED_HOME, "0042")):
            with pytest.raises(PanelFailure, match="FileNotFoundError") as lost:
                await call()
            assert lost.value.kind is FailureKind.UNAVAILABLE


def test_the_configuration_has_every_key(tmp_path: Path) -> None:
    """The table names the keys there are, each is in the example, and their defaults are true."""
    panels = {one.name: one.panel for one in config_of(tmp_path, CONFIGURATION).premises.partitions.values()}
    table = PAGE[PAGE.index("| key | is |") : PAGE.index("No shell touches")]
    named = re.findall(r"^\| `([a-z_]+)` \|.*\| (.*?) \|$", table, re.MULTILINE)
    fields = [field.name.removesuffix("_s") for field in attrs.fields(CommandPanel)]
    assert [name for name, _ in named] == fields
    defaults = {field.name: field.default for field in attrs.fields(CommandPanel)}
    assert dict(named)["timeout"] == f"{defaults['timeout_s']:.0f}s"
    assert dict(named)["exit_delay"] == f"{defaults['exit_delay_s']:.0f}s"
    assert f"1s to {render_duration(ANSWER_S_MAX)} |" in table
    assert panels["house"] == panels["garage"]
    assert attrs.asdict(panels["house"]) == {
        "set": ("/usr/local/bin/alarm", "set", "{target}", "{address}"),
        "read": ("/usr/local/bin/alarm", "state", "{address}"),
        "timeout_s": 20,
        "exit_delay_s": 45,
        "code": None,
    }
    example = CONFIGURATION[CONFIGURATION.index("[partition.house]") : CONFIGURATION.index("[partition.garage]")]
    assert all(re.search(rf"^{name} = ", example, re.MULTILINE) for name in fields)


def test_its_exit_codes_are_those_of_the_code() -> None:
    """Each code that means something has a row, and no other has."""
    table = PAGE[PAGE.index("| exit code | means |") :]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == [0, *ANSWERS]
    assert ANSWERS == {10: FailureKind.REJECTED, 11: FailureKind.BLOCKED}
    assert f"REJECTED, BLOCKED = {', '.join(str(code) for code in ANSWERS)}" in PROGRAM


def test_what_it_shows_to_be_printed_is_a_report() -> None:
    """The word and the line of JSON are read, the latter with every field there is; all states are named."""
    reports = []
    for printed in PRINTED:
        output = Output()
        output.add(printed.encode())
        reports.append(parse_report(output))
    assert reports[0] == PanelReport(state=Reported.ARMED_AWAY)
    assert None not in attrs.astuple(reports[1])
    table = PAGE[PAGE.index("| field | is |") :]
    fields = re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)
    assert sorted(fields) == sorted(field.name for field in attrs.fields(PanelReport)) == sorted(json.loads(PRINTED[1]))
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert {*Target, *Reported} <= named


def test_its_words_variables_and_limits_are_those_of_the_code() -> None:
    """A figure that changes there has to change here."""
    assert re.findall(r"`\{([a-z]+)\}`", PAGE) == list(SET_WORDS)
    assert set(SET_WORDS) - set(READ_WORDS) == {"target"}
    variables = {f"TRIOARM_{word.upper()}" for word in SET_WORDS} | {"TRIOARM_BY"}
    assert set(re.findall(r"`(TRIOARM_[A-Z]+)`", PAGE)) == variables
    assert f"more than {OUTPUT_MAX:,} bytes".replace(",", " ") in TEXT
    assert f"more than {ZONES_MAX} zones, a name of more than {NAME_MAX} characters" in TEXT
    assert f"`{MASK}` in its place" in TEXT
    assert TERMINATION_S == 3
    assert POLL == SECOND
