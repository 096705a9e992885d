"""The fixture for pytest: what its users see when a test of theirs passes, fails, or asks for what it cannot have."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import trioarm.examples.test_a_year as example
from tests.testing.playing import FORMS, ROOT, TIMEOUT_S, play
from trioarm.testing import in_virtual_time

THEIRS = """
import pytest
import trio
from trio.testing import MockClock
from trioarm.testing import World


class TestInAClass:
    @pytest.mark.trio
    @pytest.mark.parametrize("seconds", [1, 2])
    async def test_passes(self, world: World, seconds: int) -> None:
        began = trio.current_time()
        await world.start()
        await world.advance(seconds)
        assert trio.current_time() == began + seconds


@pytest.mark.trio
async def test_fails(world: World) -> None:
    await world.start()
    assert world.living == []


def test_in_vain(world: World) -> None:
    trio.run(world.start, clock=MockClock(autojump_threshold=0))


@pytest.fixture
def house(world: World) -> World:
    world.zone = "Europe/Prague"
    world.set_clock("2026-03-29 01:59")
    return world


@pytest.mark.trio
async def test_of_a_fixture_of_ones_own(house: World) -> None:
    await house.until("2026-03-29 03:00")
    assert trio.current_time() == 60
"""
WITH_TRIO = """

@pytest.mark.trio
async def test_with_a_clock_of_its_own(world: World, autojump_clock: MockClock) -> None:
    assert trio.lowlevel.current_clock() is autojump_clock
    await world.advance(3600)


@pytest.fixture
async def node(world: World):
    node = await world.start()
    yield node
    assert await node.stop()


@pytest.mark.trio
async def test_with_an_async_fixture(world: World, node) -> None:
    await world.advance(3600)
    assert world.living == [node]
"""


@pytest.mark.parametrize(
    ("form", "text", "passed"),
    [
        ("pytest alone", THEIRS.replace("@pytest.mark.trio", ""), 3),
        ("pytest-trio, tests marked", THEIRS + WITH_TRIO, 5),
    ],
)
def test_what_fails_is_shown_as_it_is(form: str, text: str, passed: int, tmp_path: Path) -> None:
    """An assertion is itself, without a group; a world that does not begin says what to do."""
    (tmp_path / "test_theirs.py").write_text(text, encoding="utf-8")
    played = play(tmp_path, *FORMS[form])
    assert played.returncode == 1, played.stdout + played.stderr
    assert f"2 failed, {passed} passed" in played.stdout, played.stdout
    assert re.search(r"^E +(AssertionError: )?assert \[<node1, alive>\] == \[\]$", played.stdout, re.MULTILINE)
    assert "FAILED test_theirs.py::test_fails - assert" in played.stdout
    assert "FAILED test_theirs.py::test_in_vain - RuntimeError: this world has not begun" in played.stdout


def test_the_kit_needs_no_pytest() -> None:
    """Only the fixture does; and nothing of the kit comes with trioarm itself."""
    program = """
import sys
import trioarm
assert not any(name.startswith("trioarm.testing") for name in sys.modules)
sys.modules["pytest"] = sys.modules["_pytest"] = None  # as where it is not installed
from trioarm.testing import a_world, in_virtual_time

async def main():
    async with a_world() as world:
        await world.start()
        await world.advance(3600)
        print(world.now())

in_virtual_time(main)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (ended.stdout, ended.stderr) == ("2026-11-23 23:00:00+00:00\n", "")


def test_a_year_is_played_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The example holds as it ships, and shows its picture: a line a month, with three days that did not go well."""
    in_virtual_time(example.main)
    lines = capsys.readouterr().out.splitlines()
    [march] = [line for line in lines if line.startswith("March ")]
    assert march.split() == ["March", "#" * 27 + "xxx" + "#", "117", "4", "3"]
    assert sum(bool(re.match(r"[A-Z][a-z]+ +[#x]{28,31} ", line)) for line in lines) == 12


def test_the_year_is_a_test_by_itself(tmp_path: Path) -> None:
    """Pytest finds it where it was installed, with its fixture, and needs no conftest.py for it."""
    found = play(tmp_path, "--setup-plan", "--pyargs", example.__name__, *FORMS["pytest alone"], conftest="")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "::test_a_year (fixtures used: world)" in found.stdout
