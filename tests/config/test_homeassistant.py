"""Instances of Home Assistant and their panels: what can be said of them in a file, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.model import HomeAssistantInstance, HomeAssistantPanel
from trioarm.cli.masking import known_secrets
from trioarm.config.takeover import take_over
from trioarm.config.unheeded import unheeded
from trioarm.links.secrets import SecretRef

SITE = '[site.home]\ntimezone = "Europe/Prague"\n'
INSTANCE = '[homeassistant.hut]\nurl = "http://hut:8123"\ntoken = { env = "HOME_TOKEN" }\n'
HOUSE = '[partition.house]\nsite = "home"\n'
PANEL = 'panel = { kind = "homeassistant", instance = "hut", entity = "alarm_control_panel.house" }\n'
ALL = SITE + INSTANCE + HOUSE
HUT = HomeAssistantInstance(name="hut", url="http://hut:8123", token=SecretRef(env="HOME_TOKEN"))
AT = "partition.house.panel"
LIKE = '"alarm_control_panel.house"'
URL_LIKE = '"http://homeassistant.local:8123"'


def panel_of(folder: Path, text: str) -> object:
    return config_of(folder, text).premises.partitions["house"].panel


def test_it_needs_little(tmp_path: Path) -> None:
    """Where Home Assistant is, its token, and the entity, which may be the address of the partition."""
    expected = HomeAssistantPanel(instance=HUT, entity="alarm_control_panel.house")
    assert panel_of(tmp_path, ALL + PANEL) == expected
    by_address = ALL + 'address = "alarm_control_panel.house"\npanel = { kind = "homeassistant", instance = "hut" }\n'
    assert panel_of(tmp_path, by_address) == expected


def test_every_key_is_read(tmp_path: Path) -> None:
    """Of both; an instance that no panel is at is fine."""
    text = (
        SITE
        + '[homeassistant.hut]\nurl = "https://hut/core"\ntoken = { file = "t" }\nca_file = "ca.pem"\ntimeout = "20s"\n'
        + INSTANCE.replace(".hut]", ".other]")
        + HOUSE
        + 'panel = { kind = "homeassistant", instance = "hut", entity = "alarm_control_panel.a_1",'
        + ' forgets = true, exit_delay = "45s", code = { env = "HOUSE_CODE" } }\n'
    )
    premises = config_of(tmp_path, text).premises
    hut = HomeAssistantInstance(
        name="hut", url="https://hut/core", token=SecretRef(file="t"), ca_file="ca.pem", timeout_s=20
    )
    assert premises.partitions["house"].panel == HomeAssistantPanel(
        instance=hut, entity="alarm_control_panel.a_1", forgets=True, exit_delay_s=45, code=SecretRef(env="HOUSE_CODE")
    )
    assert list(premises.instances) == ["hut", "other"]


def test_an_instance_of_no_use_is_a_warning(tmp_path: Path) -> None:
    """It may be a slip of the pen."""
    assert list(unheeded(config_of(tmp_path, ALL + PANEL))) == []
    assert list(unheeded(config_of(tmp_path, INSTANCE))) == [
        "homeassistant.hut: nothing is at this instance, so nobody connects to it"
    ]


def test_codes_and_tokens_are_masked_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes the line."""
    monkeypatch.setenv("HOME_TOKEN", "t0ken")
    monkeypatch.setenv("HOUSE_CODE", "0042")
    text = ALL + PANEL + 'code = { env = "HOUSE_CODE" }\n'
    assert known_secrets(config_of(tmp_path, text)) == {"t0ken", "0042"}


def test_a_changed_instance_waits_for_the_next_start(tmp_path: Path) -> None:
    """With all that is reached through it."""
    running = config_of(tmp_path, ALL + PANEL)
    found = take_over(running, config_of(tmp_path, (ALL + PANEL).replace("8123", "8124")))
    assert found.waiting == ("homeassistant.hut", "partition.house")
    assert found.config.premises.instances == {"hut": HUT}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "[homeassistant.hut]\n",
            (
                f"homeassistant.hut.url: is missing: say where it is, like url = {URL_LIKE}",
                "homeassistant.hut.token: is missing: name where its long-lived access token is, "
                'like { env = "HOME_TOKEN" }',
            ),
        ),
        (
            INSTANCE.replace("http://hut:8123", "hut:8123"),
            (f'homeassistant.hut.url: "hut:8123" is neither http nor https: write it like {URL_LIKE}',),
        ),
        (
            INSTANCE.replace("http://hut", "http://me:s3cr3t@hut"),
            (
                "homeassistant.hut.url: has a user or a password in it: name a token instead, "
                'like token = { env = "HOME_TOKEN" }',
            ),
        ),
        (
            INSTANCE.replace("8123", "8123/?a=b"),
            (f"homeassistant.hut.url: has something behind its path: write it like {URL_LIKE}",),
        ),
        (
            INSTANCE.replace('{ env = "HOME_TOKEN" }', '"s3cr3t"'),
            (
                "homeassistant.hut.token: a token is not written into a file that others read: "
                'name where it is, like { env = "HOUSE_TOKEN" } or { file = "house.token" }',
            ),
        ),
        (
            INSTANCE + 'ca_file = ""\n',
            ("homeassistant.hut.ca_file: names no file: leave it out for the certificates that the system trusts",),
        ),
        (
            INSTANCE + 'ca_file = "a\\u0000"\n',
            ("homeassistant.hut.ca_file: names no file: leave it out for the certificates that the system trusts",),
        ),
        (INSTANCE + 'timeout = "2m"\n', ('homeassistant.hut.timeout: "2m" is outside 1s to 1m',)),
        (INSTANCE + "tokn = 1\n", ("homeassistant.hut.tokn: unknown key; did you mean token?",)),
        ('homeassistant = "x"\n', ('homeassistant: "x" is no table: write it like { key = value }',)),
    ],
)
def test_a_mistake_of_an_instance_is_one_line(text: str, lines: tuple[str, ...], tmp_path: Path) -> None:
    """With its path and what would be right; a token that stands there is not repeated."""
    assert problems_of(tmp_path, text) == lines
    assert "s3cr3t" not in "".join(lines)


@pytest.mark.parametrize(
    ("panel", "lines"),
    [
        (
            'kind = "homeassistant"',
            (
                f'{AT}.instance: is missing: name one, like instance = "home"',
                f"{AT}.entity: is missing: name it, here or as address, like {LIKE}",
            ),
        ),
        (
            'kind = "homeassistant", instance = "hub", entity = "alarm_control_panel.house"',
            (f'{AT}.instance: there is no homeassistant "hub"; did you mean hut?',),
        ),
        (
            'kind = "homeassistant", instance = "hut", entity = "light.house"',
            (f'{AT}.entity: "light.house" is no entity of an alarm panel: those are like {LIKE}',),
        ),
        (
            'kind = "homeassistant", instance = "hut", entity = "alarm_control_panel.House/../x"',
            (f'{AT}.entity: "alarm_control_panel.House/../x" is no entity of an alarm panel: those are like {LIKE}',),
        ),
        (
            'kind = "homeassistant", instance = "hut", entity = "alarm_control_panel.house", exit_delay = "2h"',
            (f'{AT}.exit_delay: "2h" is outside 0s to 1h',),
        ),
        (
            'kind = "homeassistant", instance = "hut", entity = "alarm_control_panel.house", token = 1',
            (f"{AT}.token: unknown key; there is kind, instance, entity, forgets, exit_delay, code",),
        ),
        ('kind = "homeasistant"', (f'{AT}.kind: "homeasistant" is no kind of panel; did you mean homeassistant?',)),
    ],
)
def test_a_mistake_of_a_panel_is_one_line(panel: str, lines: tuple[str, ...], tmp_path: Path) -> None:
    """With its path, its value and what would be right."""
    assert problems_of(tmp_path, f"{ALL}panel = {{ {panel} }}\n") == lines


def test_an_address_that_is_no_entity_is_one_line(tmp_path: Path) -> None:
    """It names the address, where the panel names no entity."""
    text = ALL + 'address = "house"\npanel = { kind = "homeassistant", instance = "hut" }\n'
    [line] = problems_of(tmp_path, text)
    assert line == f'{AT}: "house" is no entity of an alarm panel: those are like {LIKE}'
