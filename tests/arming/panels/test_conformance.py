"""What every kind of panel does alike, each against its real counterpart (A1.3, A3.3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from tests.arming.panels.rigs import CODE, RIGS, SILENT_RIGS, WITHIN_S, OpenRig, code_in_place
from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import OURSELVES, FailureKind, Panel, PanelFailure, PanelReport

__all__ = ["code_in_place"]

LOOK_S = 0.02  # between two looks at a panel that does not say when it changes
pytestmark = pytest.mark.usefixtures("code_in_place")


@pytest.fixture(params=[*RIGS, *SILENT_RIGS])
def open_rig(request: pytest.FixtureRequest) -> OpenRig:
    """Return what opens a rig of each kind."""
    return (RIGS | SILENT_RIGS)[request.param]


@pytest.fixture(params=RIGS)
def open_answering(request: pytest.FixtureRequest) -> OpenRig:
    """Return what opens a rig of each kind that says why it does not obey."""
    return RIGS[request.param]


@pytest.fixture(params=SILENT_RIGS)
def open_silent(request: pytest.FixtureRequest) -> OpenRig:
    """Return what opens a rig of each kind that does not."""
    return SILENT_RIGS[request.param]


async def report_when(panel: Panel, holds: Callable[[PanelReport], bool]) -> PanelReport:
    """Return the first report of which something holds, waiting as a pursuit does: also for a panel that is away for a
    moment, since it starts anew while it is asked."""
    with trio.fail_after(WITHIN_S):
        while True:
            try:
                report = await panel.read_state()
            except PanelFailure as failure:
                if failure.kind is not FailureKind.UNAVAILABLE:
                    raise
            else:
                if holds(report):
                    return report
            with trio.move_on_after(LOOK_S):
                await panel.changed()


async def test_it_is_disarmed_at_first(open_rig: OpenRig, tmp_path: Path) -> None:
    """A panel that nobody touched reports so, and reaches no other target."""
    async with open_rig(tmp_path) as rig:
        report = await rig.panel.read_state()
    assert report.state is Reported.DISARMED
    assert [target for target in Target if report.reaches(target)] == [Target.DISARMED]


@pytest.mark.parametrize("target", [Target.ARMED_AWAY, Target.ARMED_NIGHT, Target.ARMED_HOME])
async def test_it_becomes_what_it_is_told_to(open_rig: OpenRig, target: Target, tmp_path: Path) -> None:
    """On the way it reports `arming`, if anything; then the target, and disarmed again when told so."""
    async with open_rig(tmp_path) as rig:
        await rig.announce(target)
        await rig.panel.command(target, CODE)
        on_the_way = await report_when(
            rig.panel, lambda report: rig.shows_at_once or report.state is not Reported.DISARMED
        )
        assert on_the_way.state is Reported.ARMING or on_the_way.reaches(target)
        assert on_the_way.toward in (None, target)
        report = await report_when(rig.panel, lambda report: report.reaches(target))
        assert report.changed_by in (None, OURSELVES)
        await rig.panel.command(Target.DISARMED, CODE)
        await report_when(rig.panel, lambda report: report.reaches(Target.DISARMED))


@pytest.mark.parametrize("code", ["0000", "42", "", None])
async def test_a_wrong_code_is_rejected(open_answering: OpenRig, code: str | None, tmp_path: Path) -> None:
    """Nothing changes, and no message repeats the code, right or wrong."""
    async with open_answering(tmp_path) as rig:
        with pytest.raises(PanelFailure) as caught:
            await rig.panel.command(Target.ARMED_AWAY, code)
        assert caught.value.kind is FailureKind.REJECTED
        assert CODE not in str(caught.value)
        assert (await rig.panel.read_state()).state is Reported.DISARMED


@pytest.mark.parametrize("code", ["0000", None])
async def test_a_wrong_code_changes_nothing(open_silent: OpenRig, code: str | None, tmp_path: Path) -> None:
    """A panel that does not say so took the command, as far as anybody knows; a right one has an effect after it."""
    async with open_silent(tmp_path) as rig:
        await rig.panel.command(Target.ARMED_AWAY, code)
        await rig.panel.command(Target.ARMED_HOME, CODE)
        await report_when(rig.panel, lambda report: report.reaches(Target.ARMED_HOME))


async def test_an_open_zone_blocks_it(open_answering: OpenRig, tmp_path: Path) -> None:
    """It is not armed, and says which zone stands open where it knows."""
    async with open_answering(tmp_path) as rig:
        await rig.open_zone("Kitchen window")
        with pytest.raises(PanelFailure) as caught:
            await rig.panel.command(Target.ARMED_AWAY, CODE)
        assert caught.value.kind is FailureKind.BLOCKED
        if rig.names_zones:
            assert caught.value.zones == ("Kitchen window",)
        if rig.reports_zones:
            assert (await rig.panel.read_state()).open_zones == ("Kitchen window",)


async def test_what_a_person_does_is_seen(open_rig: OpenRig, tmp_path: Path) -> None:
    """It is reported, with who did it where the panel knows that."""
    async with open_rig(tmp_path) as rig:
        await rig.person(Target.ARMED_AWAY)
        report = await report_when(rig.panel, lambda report: report.reaches(Target.ARMED_AWAY))
        assert report.changed_by == ("anna" if rig.names_persons else None)


async def test_a_restart_is_told_apart_from_a_person_or_taken_for_one(open_rig: OpenRig, tmp_path: Path) -> None:
    """Only what says itself that it started anew is commanded again; what a person does after that is a person's."""
    async with open_rig(tmp_path) as rig:
        await rig.person(Target.ARMED_AWAY)
        report = await report_when(rig.panel, lambda report: report.reaches(Target.ARMED_AWAY))
        assert not report.restarted
        await rig.restart()
        report = await report_when(rig.panel, lambda report: report.reaches(Target.DISARMED))
        assert report.restarted is rig.tells_restarts
        await rig.person(Target.ARMED_AWAY)
        await report_when(rig.panel, lambda report: report.reaches(Target.ARMED_AWAY))
        await rig.person(Target.DISARMED)
        report = await report_when(rig.panel, lambda report: report.reaches(Target.DISARMED))
        assert not report.restarted


async def test_what_cannot_be_understood_is_unavailable(open_rig: OpenRig, tmp_path: Path) -> None:
    """Nonsense is never taken for a state: one line says what is wrong with it."""
    async with open_rig(tmp_path) as rig:
        await rig.talk_nonsense()
        with pytest.raises(PanelFailure) as caught:
            await rig.panel.read_state()
        assert caught.value.kind is FailureKind.UNAVAILABLE
        assert str(caught.value)
        assert "\n" not in str(caught.value)


async def test_silence_is_unavailable(open_rig: OpenRig, tmp_path: Path) -> None:
    """The driver bounds its own waiting, for a report as for a command; what was sent is not said to be done."""
    async with open_rig(tmp_path) as rig:
        await rig.fall_silent()
        with trio.fail_after(WITHIN_S):
            with pytest.raises(PanelFailure) as unread:
                await rig.panel.read_state()
            with pytest.raises(PanelFailure) as unsent:
                await rig.panel.command(Target.ARMED_AWAY, CODE)
        assert {unread.value.kind, unsent.value.kind} == {FailureKind.UNAVAILABLE}


async def test_it_lets_go_when_it_is_cancelled(open_rig: OpenRig, tmp_path: Path) -> None:
    """Whoever waits for news of a panel that has none is not kept."""
    async with open_rig(tmp_path) as rig:
        with trio.fail_after(WITHIN_S), trio.move_on_after(0) as scope:
            await rig.panel.changed()
        assert scope.cancelled_caught
