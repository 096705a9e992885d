"""Sites, partitions and panels: what can be said of them, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from tests.making import a_schedule
from trioarm.arming.model import ArmingSchedule, Partition, Premises, Site, Target, VirtualPanel
from trioarm.config import SchedulerConfig
from trioarm.core.errors import ConfigurationError
from trioarm.links.secrets import SecretRef

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
        'address = "1"\nallow_disarm = true\nmin_gap = "5s"\nconfirm = 45\ncode = { file = "garden.code" }\n'
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
        code=SecretRef(file="garden.code"),
    )


def test_settings_of_arming_hold_for_the_premises(tmp_path: Path) -> None:
    """The premises know how late a disarm may be, and how many workers arming has."""
    written = "[arming]\nlate_disarm = '5m'\nworkers = 3\n[scheduler]\ntolerance = '2m'\n"
    premises = config_of(tmp_path, written).premises
    assert (premises.late_disarm_s, premises.workers, premises.on_time_s) == (300, 3, 120)


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


@pytest.mark.parametrize("owner", ["", "panel."])
def test_a_partition_and_its_panel_keep_codes_alike(owner: str, tmp_path: Path) -> None:
    """What is sent with the commands of one partition is no less secret than the panel's own code (A5.2)."""
    place = f"partition.house.{owner}code"
    assert problems_of(tmp_path, f"{HOUSE}{owner}code = '0042'") == (
        f"{place}: a code is not written into a file that others read: {CODE}",
    )
    assert problems_of(tmp_path, f"{HOUSE}{owner}code = {{ env = 'A', file = 'b' }}") == (f"{place}: {PLACE}",)
    assert problems_of(tmp_path, f"{HOUSE}{owner}code = {{ env = 5 }}") == (
        f'{place}.env: 5 is no text: put it between quotes, like "text"',
    )
    assert problems_of(tmp_path, f"{HOUSE}{owner}code = {{ file = '' }}") == (
        f"{place}.file: names nothing: a code is in an environment variable or in a file",
    )


@pytest.mark.parametrize(("env", "file"), [(None, None), ("A", "b"), ("", ""), ("", None)])
def test_a_reference_to_a_code_names_exactly_one_place(env: str | None, file: str | None) -> None:
    """In a program as in a file: one that exists is valid."""
    with pytest.raises(ConfigurationError, match="a code is in one place: name an environment variable or a file"):
        SecretRef(env, file)


def test_a_partition_leaves_room_for_the_name_of_its_lane(tmp_path: Path) -> None:
    """Sixty-three characters are for the lane, and it begins with `partition/`."""
    text = SITE + "[partition.{name}]\nsite = 'home'\n"
    assert problems_of(tmp_path, text.format(name="a" * 53)) == ()
    (line,) = problems_of(tmp_path, text.format(name="a" * 54))
    assert line == (
        f"partition.{'a' * 54}: partition '{'a' * 54}' is too long: "
        f"its lane partition/{'a' * 54} would have more than 63 characters"
    )


def test_what_cannot_be_carried_out_is_no_configuration() -> None:
    """A configuration made by a program is held to the same: each schedule that cannot be compiled is one line."""
    house = Partition(name="house", site="home", panel=VirtualPanel())
    arming = [
        ArmingSchedule(schedule=a_schedule("night", handler="arm"), partitions=("garden",), target=Target.ARMED_NIGHT),
        ArmingSchedule(schedule=a_schedule("day", handler="arm"), partitions=("house",), target=Target.DISARMED),
    ]
    with pytest.raises(ConfigurationError) as raised:
        SchedulerConfig(premises=Premises(partitions={"house": house}, schedules=tuple(arming)))
    assert raised.value.problems == (
        "schedule \"night\": night: there is no partition 'garden'",
        "schedule \"day\": day: schedules may not disarm 'house': set allow_disarm = true there if they may",
    )


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
