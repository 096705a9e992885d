"""The page on panels at a broker: its examples work as they stand, and its tables are true."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from tests.arming.panels.mqtt_alarm import COMMAND, STATE
from tests.arming.panels.mqtt_panels import an_alarm
from tests.cli.programs import command, started
from tests.config.writing import config_of, problems_of, write
from tests.links.broker import a_broker
from trioarm.arming.model import MqttPanel, Reported, Target
from trioarm.arming.panels.mqtt import ANSWER_S, CONFIRM_S, TOLD_S
from trioarm.arming.panels.mqtt_words import REFUSALS
from trioarm.config.mqtt import PRESETS, Preset, read_brokers, read_mqtt_panel
from trioarm.config.panel_keys import ANSWER_S_MAX
from trioarm.core.instants import render_duration
from trioarm.core.reading import Problems, Table
from trioarm.links.mqtt.broker import PAYLOAD_MAX, PORT, TLS_PORT
from trioarm.links.mqtt.settings import MqttBroker

PAGE = (files("trioarm") / "docs" / "panels-mqtt.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
MANUAL, ALARMO, OTHER, PAI, FRIGATE = EXAMPLES
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| ")]
KEYS = [row for row in ROWS if len(row) == 3 and row[0].startswith("`")]
BROKER_KEYS = KEYS[: [row[0] for row in KEYS].index("`broker`")]
PANEL_KEYS = KEYS[len(BROKER_KEYS) :]
EVENING = """
[[schedule]]
name = "evening"
partition = "house"
target = "armed_away"
once = "2999-01-01T22:00:00Z"
"""


async def armed(folder: Path, environ: dict[str, str]) -> str:
    """Run a node and let it arm; return what it said."""
    async with started(folder, ("-m", "trioarm", "run", "--set", "log.level=debug"), environ) as program:
        await program.line_with("started")
        status, out, errors = await command(folder, "schedules", "fire", "evening/house", "--wait")
        assert status == 0, out + errors
        await program.line_with("evening/house  succeeded")
    return "\n".join(program.lines)


async def test_its_first_example_arms(tmp_path: Path) -> None:
    """Node, broker and a panel like manual_mqtt as three programs: one command, and the run waits for its delay."""
    with a_broker(tmp_path) as broker, an_alarm(broker, exit_delay_s=1.0) as alarm:
        text = MANUAL.replace(str(PORT), str(broker.port)).replace('"60s"', '"1s"')
        write(tmp_path, text.replace("home/alarm/set", COMMAND).replace("home/alarm", STATE))
        lines = await armed(tmp_path, {})
        assert "house: arming (armed_away)" in lines
        assert alarm.heard == ["ARM_AWAY"]


async def test_its_example_for_alarmo_arms(tmp_path: Path) -> None:
    """With a code, which is nowhere to be seen; the other area is not heard, and in nobody's way."""
    with a_broker(tmp_path) as broker, an_alarm(broker, "alarmo", code="0042-c", prefix="alarmo") as alarm:
        text = ALARMO.replace('host = "homeassistant.local"', f'host = "127.0.0.1"\nport = {broker.port}')
        text = text.replace('username = "trioarm"\npassword = { file = "mqtt.password" }\n', "")
        write(tmp_path, text + EVENING)
        lines = await armed(tmp_path, {"HOUSE_CODE": "0042-c"})
        assert alarm.heard == ['{"command": "arm_away", "code": "0042-c"}']
    assert "0042-c" not in lines


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_examples_can_be_read(example: str, tmp_path: Path) -> None:
    """As they stand: each describes a broker, and panels that are at it."""
    premises = config_of(tmp_path, example).premises
    [broker] = premises.brokers.values()
    for partition in premises.partitions.values():
        assert isinstance(partition.panel, MqttPanel)
        assert partition.panel.broker == broker


def test_what_its_examples_mean(tmp_path: Path) -> None:
    """An area has its topics and its name; PAI and Frigate have their words."""
    garage = config_of(tmp_path, ALARMO).premises.partitions["garage"]
    assert isinstance(garage.panel, MqttPanel)
    assert (garage.address, garage.panel.command_topic, garage.panel.event_topic) == (
        "garage",
        "alarmo/command",
        "alarmo/garage/event",
    )
    for example, payload in ((PAI, "arm"), (FRIGATE, "ON"), (OTHER, "ARM_AWAY")):
        [partition] = config_of(tmp_path, example).premises.partitions.values()
        assert isinstance(partition.panel, MqttPanel)
        assert partition.panel.payloads[Target.ARMED_AWAY] == payload


def test_its_settings_of_a_panel_are_those_there_are(tmp_path: Path) -> None:
    """Each key is read, none is left out, and the defaults are true."""
    table = Table({}, "panel", Problems(lambda lines: AssertionError(lines)))
    read_mqtt_panel(table, {}, has_code=False)
    assert sorted(row[0].strip("`") for row in PANEL_KEYS) == sorted(table._asked)
    [problem] = problems_of(tmp_path, MANUAL.replace('kind = "mqtt"', 'kind = "mqtt"\nqqq = 1'))
    assert problem.startswith("partition.house.panel.qqq: unknown key; there is kind, broker, preset, ")
    default = MqttPanel(broker=MqttBroker(name="x", host="x"), state_topic="x", command_topic="y", payloads={})
    defaults = {row[0].strip("`"): row[1] for row in PANEL_KEYS}
    assert defaults["command_template"] == f"`{default.command_template}`"
    assert defaults["available"] == f'`"{default.available}"`'
    assert defaults["timeout"] == render_duration(default.timeout_s)
    assert defaults["exit_delay"] == render_duration(default.exit_delay_s)
    assert f"1s to {render_duration(ANSWER_S_MAX)}" in TEXT
    for word in (*Reported, *Preset):
        assert f"`{word}`" in PAGE


def test_its_settings_of_a_broker_are_those_there_are() -> None:
    """Likewise."""
    problems = Problems(lambda lines: AssertionError(lines))
    read_brokers(Table({"mqtt": {"home": {"host": "x", "qqq": 1}}}, "", problems))
    [problem] = problems.lines
    keys = [row[0].strip("`") for row in BROKER_KEYS]
    assert problem == f"mqtt.home.qqq: unknown key; there is {', '.join(keys)}"
    default = MqttBroker(name="x", host="x")
    defaults = {row[0].strip("`"): row[1] for row in BROKER_KEYS}
    assert defaults["port"] == f"{PORT}, or {TLS_PORT} with `tls`"
    assert defaults["version"] == f'`"{default.version}"`'
    assert defaults["keepalive"] == render_duration(default.keepalive_s)
    assert defaults["client_id"] == f'`"{default.client_id}"`'


def test_its_words_and_numbers_are_true() -> None:
    """What is sent by the presets, what Alarmo says, and how long what is waited for."""
    for payload in PRESETS[Preset.MANUAL_MQTT].payloads.values():
        assert f"`{payload}`" in PAGE
    assert [payload.upper() for payload in PRESETS[Preset.ALARMO].payloads.values()] == [
        *PRESETS[Preset.HOME_ASSISTANT].payloads.values()
    ]
    assert f"`{PRESETS[Preset.ALARMO].template}`" in TEXT
    for event in REFUSALS:
        assert f"`{event}`" in PAGE
    assert ANSWER_S == 5
    assert "for up to five seconds" in TEXT
    assert TOLD_S == 60
    assert "once a minute at most" in TEXT
    assert f"not older than `exit_delay` and {CONFIRM_S:g} s" in TEXT
    assert f"more than {PAYLOAD_MAX // 1024} KiB" in TEXT
