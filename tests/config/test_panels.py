"""Panels by kind: what can be said of each, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.model import CommandPanel
from trioarm.links.secrets import SecretRef

HOUSE = '[site.home]\ntimezone = "Europe/Prague"\n[partition.house]\nsite = "home"\n'
PROGRAMS = 'kind = "command"\nset = ["alarm", "{target}"]\nread = ["alarm"]\n'


def test_every_key_of_a_command_panel_is_read(tmp_path: Path) -> None:
    """Two programs are enough; the code may be the partition's or the panel's."""
    panel = config_of(tmp_path, f"{HOUSE}[partition.house.panel]\n{PROGRAMS}").premises.partitions["house"].panel
    assert panel == CommandPanel(set=("alarm", "{target}"), read=("alarm",), timeout_s=20, exit_delay_s=60, code=None)
    text = HOUSE + (
        'panel = { kind = "command", set = ["/usr/local/bin/alarm", "set", "{target}", "{address}/{partition}"],'
        ' read = ["/usr/local/bin/alarm", "{\\"of\\": \\"{address}\\"}", "{partition}", "a{}"],'
        ' timeout = "5s", exit_delay = "45s", code = { env = "HOUSE_CODE" } }\n'
    )
    assert config_of(tmp_path, text).premises.partitions["house"].panel == CommandPanel(
        set=("/usr/local/bin/alarm", "set", "{target}", "{address}/{partition}"),
        read=("/usr/local/bin/alarm", '{"of": "{address}"}', "{partition}", "a{}"),
        timeout_s=5,
        exit_delay_s=45,
        code=SecretRef(env="HOUSE_CODE"),
    )


PATH = "partition.house.panel"
NAMES_NONE = 'names no program: write it like ["/usr/local/bin/alarm", "{address}"]'


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        (
            {"set": None, "read": None},
            (
                f'{PATH}.set: is missing: name the program, like ["/usr/local/bin/alarm", "{{target}}"]',
                f'{PATH}.read: is missing: name the program, like ["/usr/local/bin/alarm", "state"]',
            ),
        ),
        ({"set": '"alarm {target}"'}, (f'{PATH}.set: "alarm {{target}}" is no list: put it between [ and ]',)),
        ({"set": "[]"}, (f"{PATH}.set: {NAMES_NONE}",)),
        ({"read": '[""]'}, (f"{PATH}.read: {NAMES_NONE}",)),
        ({"read": '["alarm", 1]'}, (f'{PATH}.read: 1 is no text: put it between quotes, like "text"',)),
        (
            {"set": '["alarm", "x{traget}"]'},
            (f'{PATH}.set: "{{traget}}" stands for nothing here; did you mean target?',),
        ),
        (
            {"set": '["alarm", "{ target }"]'},
            (f'{PATH}.set: "{{ target }}" stands for nothing here; did you mean target?',),
        ),
        (
            {"read": '["alarm", "{target}"]'},
            (f'{PATH}.read: "{{target}}" stands for nothing here; there is address, partition',),
        ),
        (
            {"set": '["alarm", "{code}"]'},
            (
                f"{PATH}.set: "
                "{code} would be for everybody to see: the program finds the code on its standard input instead",
            ),
        ),
        ({"timeout": '"2m"'}, (f'{PATH}.timeout: "2m" is outside 1s to 1m',)),
        ({"exit_delay": "-1"}, (f"{PATH}.exit_delay: -1 is outside 0s to 1h",)),
        ({"entry_delay": "1"}, (f"{PATH}.entry_delay: unknown key; did you mean exit_delay?",)),
        (
            {"code": '"0042"', "set": "5"},
            (
                f"{PATH}.set: 5 is no list: put it between [ and ]",
                f"{PATH}.code: a code is not written into a file that others read: "
                'name where it is, like { env = "HOUSE_CODE" } or { file = "house.code" }',
            ),
        ),
    ],
)
def test_a_mistake_of_a_command_panel_is_one_line(
    changed: dict[str, str | None], lines: tuple[str, ...], tmp_path: Path
) -> None:
    """What is wrong is said once, with its path, its value and what would be right; nothing else is blamed for it."""
    keys = {"set": '["alarm", "{target}"]', "read": '["alarm"]', **changed}
    written = "\n".join(f"{key} = {value}" for key, value in keys.items() if value is not None)
    assert problems_of(tmp_path, f'{HOUSE}[{PATH}]\nkind = "command"\n{written}\n') == lines
