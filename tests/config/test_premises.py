"""Sites, partitions and panels: what can be said of them, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.model import Partition, Premises, SecretRef, Site, VirtualPanel
from trioarm.config import SchedulerConfig

SITE = '[site.home]\ntimezone = "Europe/Prague"\n'
HOUSE = SITE + '[partition.house]\nsite = "home"\n'


def test_without_a_file_there_are_no_premises() -> None:
    """A node that arms nothing has nothing to arm."""
    assert SchedulerConfig().premises == SchedulerConfig.from_env({}).premises == Premises()


def test_a_partition_needs_only_its_site(tmp_path: Path) -> None:
    """The built-in panel is the default, so that everything works with no hardware."""
    premises = config_of(tmp_path, HOUSE).premises
    assert premises.sites == {"home": Site("home", "Europe/Prague")}
    assert premises.partitions == {"house": Partition(name="house", site="home", panel=VirtualPanel())}


def test_every_key_of_a_partition_is_read(tmp_path: Path) -> None:
    """Address, leave to disarm, gap, confirmation and panel come from their keys."""
    text = HOUSE + (
        'address = "1"\nallow_disarm = true\nmin_gap = "5s"\nconfirm = 45\n'
        'panel = { kind = "virtual", exit_delay = "1m", entry_delay = 0, open_zones = ["Kitchen window"],'
        ' code = { env = "HOUSE_CODE" } }\n'
    )
    assert config_of(tmp_path, text).premises.partitions["house"] == Partition(
        name="house",
        site="home",
        panel=VirtualPanel(
            exit_delay_s=60, entry_delay_s=0, open_zones=("Kitchen window",), code=SecretRef(env="HOUSE_CODE")
        ),
        address="1",
        allow_disarm=True,
        min_gap_s=5,
        confirm_s=45,
    )


def test_settings_of_arming_hold_for_the_premises(tmp_path: Path) -> None:
    """The premises know how late a disarm may be, and how many workers arming has."""
    premises = config_of(tmp_path, "[arming]\nlate_disarm = '5m'\nworkers = 3\n").premises
    assert (premises.late_disarm_s, premises.workers) == (300, 3)


CODE = 'name where it is, like { env = "HOUSE_CODE" } or { file = "house.code" }'
PLACE = 'name one place: { env = "HOUSE_CODE" } or { file = "house.code" }'


@pytest.mark.parametrize("literal", ['"0042"', "1234", '["0042"]', "true"])
def test_a_literal_code_is_refused_and_never_shown(literal: str, tmp_path: Path) -> None:
    """A code that stands in the file is refused with the reason; no line repeats it (A5.2)."""
    (line,) = problems_of(tmp_path, f"{HOUSE}panel = {{ code = {literal} }}")
    assert line == f"partition.house.panel.code: a code is not written into a file that others read: {CODE}"


@pytest.mark.parametrize("reference", ["{}", '{ env = "A", file = "b" }', '{ value = "0042" }'])
def test_a_code_is_in_one_place(reference: str, tmp_path: Path) -> None:
    """A reference names an environment variable or a file: not none, not both, and nothing else."""
    assert problems_of(tmp_path, f"{HOUSE}panel = {{ code = {reference} }}") == (
        f"partition.house.panel.code: {PLACE}",
    )


def test_a_code_in_a_file_is_a_reference(tmp_path: Path) -> None:
    """The file of a code is kept by its path."""
    panel = config_of(tmp_path, HOUSE + 'panel.code.file = "house.code"').premises.partitions["house"].panel
    assert panel.code == SecretRef(file="house.code")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[site.home]\n", 'site.home.timezone: is missing: write it like timezone = "Europe/Prague"'),
        (
            "[site.home]\ntimezone = 'Europe/Prag'",
            "site.home.timezone: time zone 'Europe/Prag' is unknown: did you mean Europe/Prague?",
        ),
        (SITE + "zone = 1", "site.home.zone: unknown key; did you mean timezone?"),
        ("site = 5", "site: 5 is no table: write it like { key = value }"),
        ("[site]\nhome = 5", "site.home: 5 is no table: write it like { key = value }"),
        (
            "[site.'My home']\ntimezone = 'UTC'",
            "site.\"My home\": site 'My home': a name starts with a small letter or digit "
            "and goes on with up to 62 more of a-z 0-9 . _ / -",
        ),
        ("[partition.house]\nsite = 'home'", 'partition.house.site: there is no site "home"; there is none'),
        (SITE + "[partition.house]\nsite = 'hom'", 'partition.house.site: there is no site "hom"; did you mean home?'),
        (SITE + "[partition.house]\n", 'partition.house.site: is missing: say where it is, like site = "home"'),
        (HOUSE + "alow_disarm = true", "partition.house.alow_disarm: unknown key; did you mean allow_disarm?"),
        (HOUSE + "allow_disarm = 'yes'", 'partition.house.allow_disarm: "yes" is neither true nor false'),
        (HOUSE + "min_gap = '2h'", 'partition.house.min_gap: "2h" is outside 0s to 1h'),
        (HOUSE + "confirm = 0", "partition.house.confirm: 0 is outside 1s to 1h"),
        (HOUSE + "address = 1", 'partition.house.address: 1 is no text: put it between quotes, like "text"'),
        (HOUSE + "panel = 'virtual'", 'partition.house.panel: "virtual" is no table: write it like { key = value }'),
        (
            HOUSE + "panel = { kind = 'virtul' }",
            'partition.house.panel.kind: "virtul" is no kind of panel; did you mean virtual?',
        ),
        (
            HOUSE + "panel = { kind = 'mqtt', topic = 'x' }",
            'partition.house.panel.kind: "mqtt" is not available yet; there is virtual',
        ),
        (HOUSE + "panel = { exit_dely = 1 }", "partition.house.panel.exit_dely: unknown key; did you mean exit_delay?"),
        (HOUSE + "panel = { entry_delay = '2h' }", 'partition.house.panel.entry_delay: "2h" is outside 0s to 1h'),
        (
            HOUSE + "panel = { open_zones = 'x' }",
            'partition.house.panel.open_zones: "x" is no list: put it between [ and ]',
        ),
    ],
)
def test_a_mistake_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    """What is wrong is said once, with its path, its value and what would be right; nothing else is blamed for it."""
    assert problems_of(tmp_path, text) == (line,)
