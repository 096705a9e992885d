"""Brokers and panels at them: what can be said of them in a file, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.model import MqttPanel, Reported, Target
from trioarm.cli.masking import known_secrets
from trioarm.config.takeover import take_over
from trioarm.config.unheeded import unheeded
from trioarm.links.mqtt import Version
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef

SITE = '[site.home]\ntimezone = "Europe/Prague"\n'
BROKER = '[mqtt.home]\nhost = "broker.lan"\n'
HOUSE = SITE + BROKER + '[partition.house]\nsite = "home"\n[partition.house.panel]\nkind = "mqtt"\n'
FREE = 'broker = "home"\nstate_topic = "a/state"\ncommand_topic = "a/set"\n'
PLAIN = FREE + 'payloads = { armed_away = "ON", disarmed = "OFF" }\n'
HA = FREE + 'preset = "home_assistant"\n'
AT = "partition.house.panel"
SAMPLE = '{"action": "{action}", "code": "{code}"}'


def panel_of(folder: Path, text: str) -> MqttPanel:
    panel = config_of(folder, HOUSE + text).premises.partitions["house"].panel
    assert isinstance(panel, MqttPanel)
    return panel


def broker_of(folder: Path, text: str) -> MqttBroker:
    return config_of(folder, BROKER + text).premises.brokers["home"]


# Brokers


def test_a_broker_needs_only_its_host(tmp_path: Path) -> None:
    """All the rest has a default, or is not there."""
    assert broker_of(tmp_path, "") == MqttBroker(name="home", host="broker.lan")


def test_every_key_of_a_broker_is_read(tmp_path: Path) -> None:
    """Where it is, how it is spoken to, and what we authenticate with."""
    text = (
        'port = 8884\ntls = true\nca_file = "ca.pem"\nusername = "me"\npassword = { file = "pw" }\nversion = "5"\n'
        'keepalive = "1m"\nclient_id = "house"\n'
    )
    assert broker_of(tmp_path, text) == MqttBroker(
        name="home",
        host="broker.lan",
        port=8884,
        tls=True,
        ca_file="ca.pem",
        username="me",
        password=SecretRef(file="pw"),
        version=Version.V5,
        keepalive_s=60,
        client_id="house",
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("port = 0", "port: 0 is outside 1 to 65535"),
        ("port = '1883'", 'port: "1883" is no whole number: write it like 5'),
        ("tls = 'yes'", 'tls: "yes" is neither true nor false'),
        ("ca_file = 'ca.pem'", "ca_file: is of no use without tls = true"),
        ("tls = true\nca_file = ''", "ca_file: names no file"),
        ("username = ''", 'username: "" is no name: it has 1 to 256 printable characters'),
        ("password = { env = 'P' }", "username: is missing: a password alone is sent to nobody"),
        (
            "username = 'me'\npassword = 's3cr3t'",
            "password: a password is not written into a file that others read: name where it is, like "
            '{ env = "HOUSE_PASSWORD" } or { file = "house.password" }',
        ),
        ("version = '4'", 'version: "4" is unknown; there is 3.1.1, 5'),
        ("keepalive = '2h'", 'keepalive: "2h" is outside 1s to 1h'),
        ("client_id = ''", 'client_id: "" is no beginning of a client\'s name: 1 to 64 printable characters'),
        ("pasword = 'x'", "pasword: unknown key; did you mean password?"),
    ],
)
def test_a_mistake_with_a_broker_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    """With its path, its value and what would be right; no secret is repeated."""
    assert problems_of(tmp_path, BROKER + text) == (f"mqtt.home.{line}",)


def test_a_broker_has_a_name_and_a_place(tmp_path: Path) -> None:
    """Both are said; the section is a table of tables."""
    assert problems_of(tmp_path, "[mqtt.home]\n") == (
        'mqtt.home.host: is missing: say where it is, like host = "192.168.1.10"',
    )
    assert problems_of(tmp_path, "[mqtt]\nhost = 'x'\n") == (
        'mqtt.host: "x" is no table: write it like { key = value }',
    )
    [line] = problems_of(tmp_path, "[mqtt.'My broker']\nhost = 'x'\n")
    assert line.startswith("mqtt.\"My broker\": broker 'My broker': a name starts with a small letter")


def test_a_broker_that_no_panel_is_at_is_a_warning(tmp_path: Path) -> None:
    """One that is used is none, and nobody connects to the other."""
    config = config_of(tmp_path, HOUSE.replace(BROKER, BROKER + "[mqtt.old]\nhost = 'x'\n") + PLAIN)
    assert list(unheeded(config)) == ["mqtt.old: nothing is at this broker, so nobody connects to it"]


def test_its_password_is_masked_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As codes are (A5.2)."""
    monkeypatch.setenv("MQTT_PASSWORD", "s3cr3t")
    text = BROKER + 'username = "me"\npassword = { env = "MQTT_PASSWORD" }\n'
    assert known_secrets(config_of(tmp_path, text)) == {"s3cr3t"}


def test_a_broker_elsewhere_waits_for_the_next_start(tmp_path: Path) -> None:
    """A running node says which partitions are concerned, and stays where it is."""
    running = config_of(tmp_path, HOUSE + PLAIN)
    found = take_over(running, config_of(tmp_path, HOUSE.replace("broker.lan", "other.lan") + PLAIN))
    assert found.waiting == ("partition.house",)
    assert found.config.premises == running.premises


# Panels


def test_a_preset_brings_all_but_the_topics(tmp_path: Path) -> None:
    """Payloads by target; with `manual_mqtt`, also what `pending` may mean."""
    panel = panel_of(tmp_path, HA)
    assert panel.payloads[Target.ARMED_CUSTOM_BYPASS] == "ARM_CUSTOM_BYPASS"
    assert len(panel.payloads) == len(Target)
    assert (panel.command_template, panel.event_topic, panel.pending_is_exit_delay) == ("{action}", None, False)
    assert panel_of(tmp_path, HA.replace("home_assistant", "manual_mqtt")).pending_is_exit_delay


def test_alarmo_needs_only_its_broker(tmp_path: Path) -> None:
    """Its topics are its usual ones, or said."""
    panel = panel_of(tmp_path, 'broker = "home"\npreset = "alarmo"\n')
    topics = (panel.state_topic, panel.command_topic, panel.event_topic)
    assert topics == ("alarmo/state", "alarmo/command", "alarmo/event")
    text = 'broker = "home"\npreset = "alarmo"\nstate_topic = "x/s"\ncommand_topic = "x/c"\nevent_topic = "x/e"\n'
    panel = panel_of(tmp_path, text)
    assert (panel.state_topic, panel.command_topic, panel.event_topic) == ("x/s", "x/c", "x/e")


def test_every_key_of_a_panel_is_read(tmp_path: Path) -> None:
    """Topics, payloads, a template, where things are in JSON, what words mean, and how long it may take."""
    text = PLAIN + (
        f"command_template = '{SAMPLE}'\n"
        'states = { ON = "armed_away" }\nstate = "s.mode"\nchanged_by = "who"\nsince = "at"\nstarted = "up"\n'
        'open_zones = "z.0"\n'
        'availability_topic = "a/there"\navailable = "yes"\ntimeout = "5s"\nexit_delay = "90s"\n'
        'code = { env = "HOUSE_CODE" }\n'
    )
    assert panel_of(tmp_path, text) == MqttPanel(
        broker=MqttBroker(name="home", host="broker.lan"),
        state_topic="a/state",
        command_topic="a/set",
        payloads={Target.ARMED_AWAY: "ON", Target.DISARMED: "OFF"},
        command_template=SAMPLE,
        states={"ON": Reported.ARMED_AWAY},
        state_path="s.mode",
        changed_by_path="who",
        since_path="at",
        started_path="up",
        open_zones_path="z.0",
        availability_topic="a/there",
        available="yes",
        timeout_s=5,
        exit_delay_s=90,
        code=SecretRef(env="HOUSE_CODE"),
    )


def test_payloads_replace_those_of_a_preset(tmp_path: Path) -> None:
    """The others stay."""
    panel = panel_of(tmp_path, HA + 'payloads = { armed_night = "NIGHT!" }\n')
    assert panel.payloads[Target.ARMED_NIGHT] == "NIGHT!"
    assert panel.payloads[Target.ARMED_AWAY] == "ARM_AWAY"


def test_what_is_missing_is_said_with_a_sample(tmp_path: Path) -> None:
    """All of it at once, and what else is wrong."""
    assert problems_of(tmp_path, HOUSE + "timeout = 0") == (
        f'{AT}.broker: is missing: say at which broker it is, like broker = "home", which [mqtt.home] describes',
        f'{AT}.state_topic: is missing: where it says what it is, like state_topic = "home/alarm/state"',
        f'{AT}.command_topic: is missing: where it is told what to become, like command_topic = "home/alarm/command"',
        f"{AT}.payloads: is missing: say what it is told, like payloads = "
        '{ armed_away = "ARM", disarmed = "DISARM" }, or name a preset',
        f"{AT}.timeout: 0 is outside 1s to 1m",
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PLAIN.replace('"home"', '"hom"'), 'broker: there is no broker "hom"; did you mean home?'),
        (FREE + "preset = 'manual'", 'preset: "manual" is unknown; did you mean manual_mqtt?'),
        (HA.replace("a/state", "a/#"), "state_topic: the topic 'a/#' has the wildcard #, which only a filter may have"),
        (HA.replace("a/state", ""), "state_topic: a topic is empty"),
        (
            HA.replace("a/state", "a/set"),
            'command_topic: "a/set" is the state_topic too: each topic is for one thing',
        ),
        (
            HA + "event_topic = 'x'",
            'event_topic: is for preset = "alarmo" alone: other events are not understood',
        ),
        (
            HA + "payloads = { armed_awy = 'x' }",
            'payloads: "armed_awy" is unknown; did you mean armed_away?',
        ),
        (HA + "payloads = { armed_away = '' }", 'payloads: "" is no payload: it has 1 to 1000 characters'),
        (HA + "payloads = {}", 'payloads: says nothing: write it like { armed_away = "ARM", disarmed = "DISARM" }'),
        (HA + "states = { X = 'armed' }", 'states: what "X" means: "armed" is unknown; did you mean disarmed?'),
        (
            HA + "command_template = '{code}'",
            f'command_template: "{{code}}" does not say what to do: it needs {{action}}, like {SAMPLE}',
        ),
        (
            HA + "command_template = '{action} {cod}'",
            'command_template: "{cod}" stands for nothing here; did you mean code?',
        ),
        (HA + f"command_template = '{'x' * 1001}'", f'command_template: "{"x" * 39}... is longer than 1000 characters'),
        (
            HA + "code = { env = 'X' }",
            f"command_template: has no {{code}}, so the code would never be sent: write it like '{SAMPLE}'",
        ),
        (
            HA + "changed_by = 'who'",
            "changed_by: is a path, but without state, the path of the state, the whole message is the state",
        ),
        (
            HA.replace("home_assistant", "alarmo") + "event_topic = 'e'\navailability_topic = 'e'",
            'event_topic: "e" is the availability_topic too: each topic is for one thing',
        ),
        (HA + "available = 'yes'", "available: is of no use without availability_topic"),
        (
            HA.replace("home_assistant", "manual_mqtt") + "states = { pending = 'arming' }",
            'states: says what pending means, which preset = "manual_mqtt" finds out by itself',
        ),
        (HA + "retain = true", "retain: unknown key; there is "),
        (HA + "timeout = '2m'", 'timeout: "2m" is outside 1s to 1m'),
    ],
)
def test_a_mistake_with_a_panel_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    """With its path, its value and what would be right."""
    [problem] = problems_of(tmp_path, HOUSE + text)
    assert problem.startswith(f"{AT}.{line}")
    if not line.endswith("there is "):
        assert problem == f"{AT}.{line}"


def test_a_code_of_the_partition_has_to_be_sent_too(tmp_path: Path) -> None:
    """A template without a place for it would arm without, or never."""
    text = HOUSE.replace("[partition.house.panel]", 'code.env = "X"\n[partition.house.panel]')
    assert problems_of(tmp_path, text + HA) == (
        f"{AT}.command_template: has no {{code}}, so the code would never be sent: write it like '{SAMPLE}'",
    )
