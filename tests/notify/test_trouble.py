"""Channels that fail: tried again, reported over the others, and never in the way of anything else."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.notify.worlds import PHONE, Scripted, at, begin, kept, told
from trioarm.core.alerts import AlertState
from trioarm.notify.channels.base import Delivered, Refused, TryAgain
from trioarm.testing import World

MAIL = PHONE.replace("phone", "mail")


async def states(world: World) -> list[tuple[str, str]]:
    """Return the kind and state of every alert, by id."""
    return [(stored.alert.kind, stored.state) for stored in await kept(world) if stored.alert is not None]


async def test_what_is_not_taken_is_tried_again_by_the_run(world: World, tmp_path: Path) -> None:
    """A service that is away for a moment is nobody's business."""
    world.channels["phone"] = phone = Scripted([TryAgain("away"), TryAgain("away"), Delivered()])
    await begin(world, tmp_path, PHONE, at("12:10:00"))
    await world.until("2026-11-23T13:00:00Z")
    assert len(phone.messages) == 3
    assert len({message.id for message in phone.messages}) == 1
    assert await states(world) == [("leaking", AlertState.OPEN)]


async def test_a_channel_that_stays_away_is_reported_over_the_others(world: World, tmp_path: Path) -> None:
    """Never over itself; it is over once a message arrives, and what it has to tell is told then."""
    world.channels["phone"] = phone = Scripted([*[TryAgain("nobody is there")] * 12, Delivered()])
    await begin(world, tmp_path, PHONE, MAIL + 'subjects = ["notify/*"]\nover = true\n', at("12:10:00"))
    await world.until("2026-11-23T12:13:00Z")
    assert await states(world) == [("channel_failed", AlertState.OPEN), ("leaking", AlertState.OPEN)]
    [sent] = world.messages
    assert (sent.channel, sent.message.title) == ("mail", "error: notify/phone")
    assert sent.message.text.startswith("nobody is told of alerts by phone: nobody is there\nmend it, then try: ")
    await world.until("2026-11-23T13:00:00Z")
    assert await states(world) == [("channel_failed", AlertState.RESOLVED), ("leaking", AlertState.OPEN)]
    assert {message.title for message in phone.messages} == {"error: shed"}
    assert len(phone.messages) == 13
    assert [title for _, title in told(world, "mail")] == ["error: notify/phone", "over: notify/phone"]


async def test_two_that_fail_complain_once_each(world: World, tmp_path: Path) -> None:
    """Of each other, and not in a circle."""
    world.channels |= {name: Scripted([TryAgain("away")]) for name in ("phone", "mail")}
    await begin(world, tmp_path, PHONE, MAIL, at("12:10:00"))
    await world.until("2026-11-23T16:00:00Z")
    assert sorted(kind for kind, _ in await states(world)) == ["channel_failed", "channel_failed", "leaking"]


async def test_a_refused_message_does_not_hold_up_others(world: World, tmp_path: Path) -> None:
    """It is reported, and tried again a quarter of an hour later; the next one goes out at once."""
    world.channels["phone"] = phone = Scripted([Refused("it answered with 413"), Delivered()])
    await begin(world, tmp_path, PHONE, at("12:10:00", 1), at("12:11:00", 2, subject="attic"))
    await world.until("2026-11-23T12:12:00Z")
    assert [message.title for message in phone.messages] == ["error: shed", "error: attic"]
    assert ("channel_failed", AlertState.RESOLVED) in await states(world)
    await world.until("2026-11-23T13:00:00Z")
    assert [message.title for message in phone.messages] == ["error: shed", "error: attic", "error: shed"]


async def test_one_alert_that_is_never_taken_does_not_hold_up_others(world: World, tmp_path: Path) -> None:
    """Where a try ended at one, the next begins with the others."""
    answers = [TryAgain("it hung up"), Delivered(), TryAgain("it hung up")]
    world.channels["phone"] = phone = Scripted(answers)
    await begin(world, tmp_path, PHONE, at("12:10:00", 1), at("12:10:00", 2, subject="stable"))
    await world.until("2026-11-23T12:11:00Z")
    assert [message.title for message in phone.messages[:3]] == ["error: shed", "error: stable", "error: shed"]


async def test_a_channel_that_hangs_keeps_nobody_waiting(world: World, tmp_path: Path) -> None:
    """Its messages are given up after its timeout; other channels tell, and the house is armed, in the same second."""
    house = """
        [site.home]
        timezone = "UTC"
        [partition.house]
        site = "home"
        panel = { kind = "virtual", exit_delay = "0s" }
        [[schedule]]
        name = "night"
        partition = "house"
        target = "armed_night"
        once = "2026-11-23T12:10:05Z"
        """
    world.channels["phone"] = phone = Scripted(takes_s=1e6)
    await begin(world, tmp_path, PHONE + 'timeout = "30s"\n', MAIL, house, at("12:10:00"))
    await world.until("2026-11-23T12:10:06Z")
    assert told(world, "mail") == [("12:10", "error: shed")]
    [run] = [run for run in (await world.scheduler.runs.find()).rows if run.schedule == "night/house"]
    assert run.state == "succeeded"
    assert run.finished_at is not None
    assert (run.finished_at - run.due_at).total_seconds() < 1
    await world.until("2026-11-23T12:16:00Z")
    assert len(phone.messages) >= 5
    assert min(later - sooner for sooner, later in zip(phone.at, phone.at[1:], strict=False)) >= 30
    [complaint] = [stored.alert for stored in await kept(world) if stored.id.startswith("notify/")]
    assert complaint is not None
    assert complaint.text == "nobody is told of alerts by phone: no answer within 30s"


async def test_some_of_several_recipients_are_a_reason_to_report(world: World, tmp_path: Path) -> None:
    """The message is delivered, and not sent again; that somebody did not get it is told."""
    world.channels["phone"] = phone = Scripted([Delivered("bob@example.org (550 no such user)")])
    await begin(world, tmp_path, PHONE, at("12:10:00"))
    await world.until("2026-11-23T14:00:00Z")
    assert len(phone.messages) == 1
    assert await states(world) == [("channel_failed", AlertState.OPEN), ("leaking", AlertState.OPEN)]


async def test_health_names_the_channel_that_fails(world: World, tmp_path: Path) -> None:
    """And says so until it delivers again."""
    world.channels["phone"] = Scripted([TryAgain("away"), Delivered()])
    await begin(world, tmp_path, PHONE, at("12:10:00"))
    await world.until("2026-11-23T12:10:01Z")
    report = await world.scheduler.health()
    [said] = [one for one in report.components if one.component == "notify"]
    assert (said.level, said.reasons) == ("degraded", ("phone: away",))
    await trio.sleep(60)
    report = await world.scheduler.health()
    assert [one.level for one in report.components if one.component == "notify"] == ["healthy"]
