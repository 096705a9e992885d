"""The example of recovering from errors: nothing is paid twice, nothing is lost, and a broken bank is left alone."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from trioarm.examples.recovery import Bank, live_a_day, main
from trioarm.testing import Decision, a_world, assert_decided, in_virtual_time


def a_day() -> tuple[list[Decision], Bank]:
    """Play the day, and return what was decided, and the bank."""
    bank = Bank()

    async def play() -> list[Decision]:
        async with a_world() as world:
            await live_a_day(world, bank)
            return await world.decisions()

    return in_virtual_time(play), bank


def test_each_error_comes_to_what_it_should() -> None:
    """Closed waits, busy comes back when it was asked to, useless is not tried again, and lost is found."""
    day, bank = a_day()
    decisions = [one for one in day if one.schedule != "parking"]
    assert_decided(
        decisions,
        [
            ("2026-12-01 05:00", "succeeded"),
            ("2026-12-01 08:00", "succeeded"),
            ("2026-12-01 09:00", "failed", "discarded"),
            ("2026-12-01 10:00", "succeeded", "recovered"),
        ],
    )
    salary, rent, typo, insurance = decisions
    assert (salary.attempts, rent.attempts, typo.attempts, insurance.attempts) == (1, 2, 1, 2)
    assert salary.started_at is not None
    assert (salary.started_at.hour, salary.started_at.minute) == (6, 0)
    assert rent.started_at is not None
    assert 300 <= (rent.started_at - rent.nominal_at).total_seconds() < 420
    assert (bank.calls["insurer"], bank.paid["insurer"]) == (2, 1)


def test_a_bank_that_cannot_be_reached_is_left_alone() -> None:
    """In an hour three calls fail and then one in ten minutes; every payment is made once, when it can be."""
    day, bank = a_day()
    parking = [one for one in day if one.schedule == "parking"]
    assert {one.state for one in parking} == {"succeeded"}
    assert len(parking) == bank.paid["garage"] == 36
    assert 36 < bank.calls["garage"] <= 36 + 3 + 6


async def test_an_older_attempt_is_refused(autojump_clock: MockClock) -> None:
    """The token grows with each claim, so the bank can tell who comes too late."""
    bank = Bank()
    await bank.pay("staff", key="salary@1", token=2)
    with pytest.raises(PermissionError):
        await bank.pay("staff", key="salary@1", token=1)
    assert bank.paid["staff"] == 1


def test_the_program_prints_the_day(capsys: pytest.CaptureFixture[str]) -> None:
    """Its table has a line for each payment, and its last line the balance of the parking."""
    in_virtual_time(main)
    said = capsys.readouterr().out
    assert "insurance@2026-12-01T10:00:00Z: the node before was lost" in said
    assert said.count("succeeded  ") == 3
    assert said.splitlines()[-1].startswith("parking: {'succeeded': 36} in ")
