"""The page on panels of Home Assistant: its example works as it stands, and its tables are true."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from tests.cli.programs import command, started
from tests.config.writing import config_of, problems_of, write
from tests.links.fake_home_assistant import HOUSE, TOKEN, Panel, a_home_assistant
from trioarm.arming.model import HomeAssistantPanel, Reported
from trioarm.arming.panels.homeassistant import SENSORS_ASKED
from trioarm.arming.panels.homeassistant_entity import CLOSED, FINAL_CODES, refusal_of
from trioarm.config.panel_keys import ANSWER_S_MAX
from trioarm.core.instants import MINUTE, render_duration
from trioarm.links.backoff import BACKOFF_S_MAX
from trioarm.links.homeassistant import Limits, Refused
from trioarm.links.homeassistant.session import MESSAGE_MAX, STATES_MAX
from trioarm.links.homeassistant.states import STARTING

PAGE = (files("trioarm") / "docs" / "panels-homeassistant.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[CONFIGURATION], [YAML] = ([text for name, text in BLOCKS if name == language] for language in ("toml", "yaml"))
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| ")]
URL = "http://homeassistant.local:8123"
ENVIRON = {"HOUSE_CODE": "0042-code"}
INSTANCE_KEYS = ("url", "token", "ca_file", "timeout")
PANEL_KEYS = ("instance", "entity", "forgets", "exit_delay", "code")


async def test_its_example_arms(tmp_path: Path) -> None:
    """Home Assistant here, the node a program: token and code are accepted, and it is read until it is armed."""
    write(tmp_path, f"{TOKEN}\n", "home.token")
    async with a_home_assistant(Panel(code=ENVIRON["HOUSE_CODE"], exit_delay_s=0.3)) as home:
        write(tmp_path, CONFIGURATION.replace(URL, home.url))
        async with started(tmp_path, ("-m", "trioarm", "run", "--set", "log.level=debug"), ENVIRON) as program:
            await program.line_with(f"connected to Home Assistant at {home.url}")
            status, out, errors = await command(tmp_path, "schedules", "fire", "evening/house", "--wait")
            assert status == 0, out + errors
            await program.line_with("evening/house  succeeded")
        assert [(over, service) for over, service, _ in home.calls] == [("websocket", "alarm_arm_away")]
        assert not any(secret in "".join(program.lines) for secret in (TOKEN, ENVIRON["HOUSE_CODE"]))


async def test_its_commands_say_what_they_should(tmp_path: Path) -> None:
    """`check` warns of what is not here; `partitions show` asks the panel by itself, without a node."""
    async with a_home_assistant(Panel(code=ENVIRON["HOUSE_CODE"])) as home:
        write(tmp_path, CONFIGURATION.replace(URL, home.url))
        status, out, errors = await command(tmp_path, "check")
        assert (status, "homeassistant.home.token: file home.token cannot be read" in errors) == (0, True), out + errors
        write(tmp_path, f"{TOKEN}\n", "home.token")
        home.press("armed_night")
        status, out, errors = await command(tmp_path, "partitions", "show", "house")
        assert (status, "armed_night" in out, "anna" in out) == (0, True, True), out + errors


def test_its_settings_are_those_there_are(tmp_path: Path) -> None:
    """Each key is read, none is left out, and the defaults are true."""
    rows = {
        row[0].strip("`"): row[1] for row in ROWS if len(row) == 3 and row[0].strip("`") in INSTANCE_KEYS + PANEL_KEYS
    }
    assert list(rows) == [*INSTANCE_KEYS, *PANEL_KEYS]
    [problem] = problems_of(tmp_path, CONFIGURATION.replace("[partition.house]", "qqq = 1\n[partition.house]"))
    assert problem == f"homeassistant.home.qqq: unknown key; there is {', '.join(INSTANCE_KEYS)}"
    [problem] = problems_of(tmp_path, CONFIGURATION.replace('kind = "h', 'qqq = 1, kind = "h'))
    assert problem == f"partition.house.panel.qqq: unknown key; there is kind, {', '.join(PANEL_KEYS)}"
    panel = config_of(tmp_path, CONFIGURATION).premises.partitions["house"].panel
    assert isinstance(panel, HomeAssistantPanel)
    assert panel.entity == HOUSE
    assert rows["timeout"] == render_duration(panel.instance.timeout_s)
    assert rows["exit_delay"] == render_duration(HomeAssistantPanel(instance=panel.instance, entity="x").exit_delay_s)
    assert f"1s to {render_duration(ANSWER_S_MAX)}" in TEXT
    assert "platform: manual" in YAML


def test_its_table_of_answers_is_true() -> None:
    """Each code it names is what it says."""
    rows = {
        row[0]: row[1].strip("`") for row in ROWS if len(row) == 3 and row[1].strip("`") in ("rejected", "unavailable")
    }
    named = {
        code: kind for answer, kind in rows.items() for code in re.findall(r"`(\w+)`", answer) if code != "timeout"
    }
    assert {code for code, kind in named.items() if kind == "rejected"} == FINAL_CODES
    for code, kind in named.items():
        assert refusal_of(Refused(code, ""), str)[0].value == kind
    assert rows["another error that speaks of a code, or of what is not supported"] == "rejected"
    for said in ("Invalid code", "Not supported"):
        assert refusal_of(Refused("home_assistant_error", said), str)[0].value == "rejected"


def test_its_numbers_are_true() -> None:
    """Limits are those of the program."""
    limits = Limits()
    for number in (
        f"may have {MESSAGE_MAX:,} characters",
        f"{STATES_MAX:,} of them",
        f"1, 2, 4 ... {BACKOFF_S_MAX:g} s",
        f"After {limits.quiet_s:g} s without a word",
        f"a look every {limits.poll_s:g} s",
    ):
        assert number in TEXT
    assert (STARTING, limits.refused_s, SENSORS_ASKED) == (5 * MINUTE, 300, 8)
    assert all(f"`{word}`" in PAGE for word in CLOSED)
    assert all(f"`{state}`" in PAGE for state in (Reported.PENDING, Reported.ARMING, Reported.UNKNOWN))
