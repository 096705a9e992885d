"""`[owner.NAME]`: what it says, what is wrong with it, and that a running node takes it over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of, write
from trioarm import ConfigurationError, InvalidSchedule, open_scheduler
from trioarm.config.takeover import take_over

DECLARED = '[[schedule]]\nname = "{}"\nhandler = "log"\nevery = "1h"\n'


def test_owners_have_limits_by_their_names(tmp_path: Path) -> None:
    """A program's, that of the command line, and that of the file itself; an environment overlays them."""
    text = '[owner.cli]\nmax_schedules = 5\n[owner."file:scheduler.toml"]\nmax_schedules = 0\n'
    overlaid = f"{text}[environment.test.owner.cli]\nmax_schedules = 7\n"
    assert config_of(tmp_path, text).owners == {"cli": 5, "file:scheduler.toml": 0}
    assert config_of(tmp_path, overlaid, {"SCHEDULER_ENV": "test"}).owners["cli"] == 7
    assert config_of(tmp_path, "").owners == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[owner.app]\n", "owner.app.max_schedules: is missing: how many schedules this owner may have, such as 1000"),
        ("[owner.app]\nmax_schedules = -1\n", "owner.app.max_schedules: "),
        ("[owner.app]\nmax_schedules = 1\nmax_runs = 1\n", "owner.app.max_runs: "),
        ("[owner]\nmax_schedules = 1\n", "owner.max_schedules: "),
    ],
)
def test_what_is_wrong_with_it_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    """With the path of the key."""
    [line] = problems_of(tmp_path, text)
    assert line.startswith(said)
    assert "\n" not in line


def test_a_change_is_taken_over_and_told(tmp_path: Path) -> None:
    """A limit that is new, another, or gone, each with both values."""
    running = config_of(tmp_path, "[owner.a]\nmax_schedules = 1\n[owner.b]\nmax_schedules = 2\n")
    write(tmp_path, "[owner.b]\nmax_schedules = 3\n[owner.c]\nmax_schedules = 4\n")
    found = take_over(running, running.read_again())
    assert {(one.key, one.before, one.after) for one in found.settings} == {
        ("owner.a.max_schedules", "1", "no limit"),
        ("owner.b.max_schedules", "2", "3"),
        ("owner.c.max_schedules", "no limit", "4"),
    }
    assert found.config.owners == {"b": 3, "c": 4}


async def test_a_node_declares_as_many_as_the_file_allows_now(tmp_path: Path) -> None:
    """One too many is refused, and nothing changes; with a higher limit, read together with it, it is declared."""
    limit = '[owner."file:scheduler.toml"]\nmax_schedules = {}\n'
    config = config_of(tmp_path, limit.format(1) + DECLARED.format("one"))
    async with open_scheduler("memory://", config=config) as scheduler:
        write(tmp_path, limit.format(1) + DECLARED.format("one") + DECLARED.format("two"))
        with pytest.raises((ConfigurationError, InvalidSchedule), match=r"declares 2: .* may have at most 1 schedules"):
            await scheduler.reload()
        assert scheduler.owners == {"file:scheduler.toml": 1}
        write(tmp_path, limit.format(2) + DECLARED.format("one") + DECLARED.format("two"))
        changed = await scheduler.reload()
        assert (changed.added, [one.after for one in changed.settings]) == (("two",), ["2"])
        write(tmp_path, limit.format(1) + "nonsense = 1")
        with pytest.raises(ConfigurationError):
            await scheduler.reload()
        assert scheduler.owners == {"file:scheduler.toml": 2}
