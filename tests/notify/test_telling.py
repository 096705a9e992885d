"""Who is told of what and when: routes, quiet hours, repetition, escalation and limits, in a whole node."""

from __future__ import annotations

from pathlib import Path

from tests.notify.worlds import PHONE, at, begin, kept, resolve, told
from trioarm.testing import World

AT_ONCE = "[scheduler]\nmax_concurrent = 50\n[executor]\nmax_concurrent = 50\n"


async def test_an_alert_is_told_once_and_at_once(world: World, tmp_path: Path) -> None:
    """However long it stands open, where nobody asked for more."""
    await begin(world, tmp_path, PHONE, at("12:10:00"))
    await world.until("2026-11-24T12:00:00Z")
    assert told(world) == [("12:10", "error: shed")]
    assert world.messages[0].at.second < 2


async def test_events_subjects_and_severities_choose(world: World, tmp_path: Path) -> None:
    """Each channel takes what it is meant for."""
    channels = (
        PHONE + 'events = ["leak*", "flood"]\nseverity = "error"\n',
        PHONE.replace("phone", "mail") + 'subjects = ["partition/*"]\n',
    )
    await begin(
        world,
        tmp_path,
        *channels,
        at("12:01:00", 1),
        at("12:02:00", 2, severity="warning"),
        at("12:03:00", 3, kind="burning"),
        at("12:04:00", 4, kind="flood", subject="partition/house"),
        at("12:05:00", 5, kind="late", subject="partition/house", severity="warning"),
    )
    await world.until("2026-11-23T13:00:00Z")
    assert told(world) == [("12:01", "error: shed"), ("12:04", "error: partition/house")]
    assert told(world, "mail") == [("12:04", "error: partition/house"), ("12:05", "warning: partition/house")]


async def test_it_is_repeated_until_somebody_acknowledges_it(world: World, tmp_path: Path) -> None:
    """And up to a cap where nobody does."""
    repeat = 'repeat = { every = "15m", most = 4 }\n'
    await begin(world, tmp_path, PHONE + repeat, at("12:10:30", 1), at("12:20:30", 2, subject="attic"))
    await world.until("2026-11-23T12:30:00Z")
    for stored in await kept(world):
        if stored.id.startswith("shed:"):
            await world.scheduler.alerts.ack(stored.id, by="ann")
    await world.until("2026-11-23T15:00:00Z")
    assert [time for time, title in told(world) if title.endswith("shed")] == ["12:10", "12:26"]
    assert [time for time, title in told(world) if title.endswith("attic")] == ["12:20", "12:36", "12:51", "13:06"]
    assert "message 2 about this" in world.messages[2].message.text


async def test_it_escalates_to_others_while_nobody_answers(world: World, tmp_path: Path) -> None:
    """Further channels hear of what stands open for long, and of nothing that was closed before."""
    boss = PHONE.replace("phone", "boss") + 'after = "30m"\n'
    await begin(world, tmp_path, PHONE, boss, at("12:10:30", 1), at("12:20:30", 2, subject="attic"))
    await world.until("2026-11-23T12:30:00Z")
    await resolve(world, "shed")
    await world.until("2026-11-23T15:00:00Z")
    assert told(world) == [("12:10", "error: shed"), ("12:20", "error: attic")]
    assert told(world, "boss") == [("12:51", "error: attic")]


async def test_a_notice_is_told_once(world: World, tmp_path: Path) -> None:
    """All is as it should be: that is not repeated, escalates to nobody, and nobody waits for its end."""
    boss = PHONE.replace("phone", "boss") + 'after = "5m"\n'
    always = 'repeat = { every = "15m" }\nover = true\n'
    await begin(world, tmp_path, PHONE + always, boss, at("12:10:00", severity="notice"))
    await world.until("2026-11-23T13:00:00Z")
    await resolve(world, "shed")
    await world.until("2026-11-23T14:00:00Z")
    assert [(sent.channel, sent.message.title) for sent in world.messages] == [("phone", "notice: shed")]


async def test_people_are_warned_before_the_house_is_armed(world: World, tmp_path: Path) -> None:
    """By the same channels, at the moments that its schedule names (A4.1)."""
    house = """
        [site.home]
        timezone = "UTC"
        [partition.house]
        site = "home"
        [[schedule]]
        name = "night"
        partition = "house"
        target = "armed_night"
        once = "2026-11-23T13:00:00Z"
        warn = ["15m", "1m"]
        """
    await begin(world, tmp_path, PHONE, house)
    await world.until("2026-11-23T14:00:00Z")
    assert told(world) == [("12:45", "notice: partition/house"), ("12:59", "notice: partition/house")]
    assert world.messages[0].message.text.startswith("it becomes armed_night at 13:00, in 15m\nleave in time, or ")


async def test_quiet_hours_hold_back_what_can_wait(world: World, tmp_path: Path) -> None:
    """On the clock of the channel's zone, across midnight; what is urgent passes."""
    quiet = 'timezone = "Europe/Prague"\nquiet = { from = "13:30", until = "07:00" }\n'
    await begin(
        world,
        tmp_path,
        PHONE + quiet,
        at("12:10:00", 1, severity="warning"),
        at("12:40:00", 2, severity="warning", subject="attic"),
        at("23:30:00", 3, subject="cellar"),
    )
    await world.until("2026-11-24T12:00:00Z")
    assert told(world) == [("12:10", "warning: shed"), ("23:30", "error: cellar"), ("06:00", "warning: attic")]


async def test_what_is_over_the_limit_is_bundled(world: World, tmp_path: Path) -> None:
    """One message says how many; what comes later waits until there is room."""
    limit = 'limit = { messages = 3, per = "30m" }\n'
    several = (at("12:10:00", number, subject=f"tap{number:02}") for number in range(30))
    await begin(world, tmp_path, AT_ONCE, PHONE + limit, *several, at("12:20:00", 99, subject="late"))
    await world.until("2026-11-23T14:00:00Z")
    assert told(world) == [
        ("12:10", "error: tap00"),
        ("12:10", "error: tap01"),
        ("12:10", "28 alerts"),
        ("12:40", "error: late"),
    ]
    bundle = world.messages[2].message
    assert (bundle.count, len(bundle.alerts)) == (28, 20)
    assert bundle.text.endswith("and 8 more: trioarm alerts list")


async def test_those_who_were_told_may_be_told_that_it_is_over(world: World, tmp_path: Path) -> None:
    """Once, with who made it so; where nobody asked for it, nobody is."""
    await begin(world, tmp_path, PHONE + "over = true\n", PHONE.replace("phone", "mail"), at("12:10:00"))
    await world.until("2026-11-23T12:30:30Z")
    await resolve(world, "shed", "mended")
    await world.until("2026-11-23T15:00:00Z")
    assert told(world) == [("12:10", "error: shed"), ("12:31", "over: shed")]
    assert told(world, "mail") == [("12:10", "error: shed")]
    assert world.messages[-1].message.text == "mended (ann, 2026-11-23 12:30:30+00:00)\nit was: the roof leaks"


async def test_templates_say_it_in_other_words(world: World, tmp_path: Path) -> None:
    """What stands for something is replaced; what it says is looked at no further."""
    words = 'title = "{kind} at {subject}"\ntext = "{text} / {advice} / {raised_at} / {times} / {channel}"\n'
    await begin(world, tmp_path, PHONE + words, at("12:10:00", text="{advice} needed"))
    await world.until("2026-11-23T13:00:00Z")
    [sent] = world.messages
    assert sent.message.title == "leaking at shed"
    assert sent.message.text == "{advice} needed / mend it / 2026-11-23 12:10:00+00:00 / 1 / phone"


async def test_a_clock_that_was_set_back_silences_nobody(world: World, tmp_path: Path) -> None:
    """What was told in a future that is over is told again, rather than not."""
    await begin(world, tmp_path, PHONE + 'repeat = { every = "1h", most = 3 }\n', at("12:10:00"))
    await world.until("2026-11-23T12:15:00Z")
    world.step(-2 * 86400)
    await world.advance(86400)
    assert len(told(world)) > 1
