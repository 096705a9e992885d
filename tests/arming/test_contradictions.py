"""What contradicts itself is refused where it is made, in one line that names both and says what to do (A4.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.arming.houses import PRAGUE
from tests.arming.premises import AWAY, DISARMED, EVENING, HOME, NIGHT, a_partition, arming, the_premises
from tests.arming.test_excepting import EVERY_DAY, FREE, START, a_rule, excepted
from tests.config.writing import config_of, problems_of, write
from tests.world import in_virtual_time
from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.contradictions import Wants, clash
from trioarm.arming.exceptions.kept import Book
from trioarm.arming.model import ArmingSchedule, Effect, ExceptionRule, InvalidRequest, Premises
from trioarm.config import SchedulerConfig
from trioarm.core.errors import ConfigurationError, InvalidSchedule
from trioarm.core.instants import DAY, HOUR, SECOND
from trioarm.core.triggers import Cron, Intersect, Once, Weekly
from trioarm.live import LiveConfig
from trioarm.testing.world import a_world

NIGHTLY = Weekly(EVERY_DAY, "22:30", PRAGUE)
LINE = 'wants house armed_away whenever "a" wants it armed_night: give one another time or a higher priority'


def said_of(*schedules: ArmingSchedule) -> list[str | None]:
    """Return what is said of each of some schedules, in order."""
    wants = Wants()
    return [wants.add(one) for one in schedules]


class TestSchedules:
    """Two that meet always."""

    def test_both_are_named(self) -> None:
        """By whoever makes engine schedules of them, and by a configuration that is made in code."""
        premises = the_premises(arming("a", NIGHT, NIGHTLY), arming("b", AWAY, NIGHTLY))
        with pytest.raises(InvalidSchedule, match=f"^b: {LINE}$"):
            engine_schedules(premises)
        with pytest.raises(ConfigurationError) as caught:
            SchedulerConfig(premises=premises)
        assert caught.value.problems == (f'schedule "b": {LINE}',)

    @pytest.mark.parametrize(
        "other",
        [
            arming("b", NIGHT, NIGHTLY),
            arming("b", AWAY, NIGHTLY, "garage"),
            arming("b", AWAY, NIGHTLY, priority=6),
            arming("b", AWAY, Weekly(["mon"], "22:30", PRAGUE)),
            arming("b", AWAY, NIGHTLY, start_at=EVENING + DAY),
            arming("b", AWAY, NIGHTLY, enabled=False),
        ],
        ids=["same target", "other partition", "other priority", "other trigger", "another season", "disabled"],
    )
    def test_what_does_not_always_meet_may_be(self, other: ArmingSchedule) -> None:
        """Where something says which of the two counts, or they never meet."""
        assert said_of(arming("a", NIGHT, NIGHTLY, end_at=EVENING + DAY - SECOND), other) == [None, None]
        assert said_of(other, arming("a", NIGHT, NIGHTLY, end_at=EVENING + DAY - SECOND)) == [None, None]

    def test_seasons_that_overlap_meet(self) -> None:
        """In a single instant, too."""
        one = arming("a", NIGHT, NIGHTLY, end_at=EVENING)
        other = arming("b", AWAY, NIGHTLY, start_at=EVENING)
        assert said_of(one, other) == [None, LINE]

    def test_any_of_those_before_is_found(self) -> None:
        """Of several partitions the one that matters; and it is not the first schedule alone that counts."""
        summer = arming("summer", AWAY, NIGHTLY, end_at=EVENING)
        both = arming("b", AWAY, NIGHTLY, "garage", "house", start_at=EVENING + 1)
        assert said_of(summer, arming("a", NIGHT, NIGHTLY, start_at=EVENING + 1), both) == [None, None, LINE]

    def test_what_is_stored_is_compared_as_it_was_said(self) -> None:
        """Priorities that the engine takes for the same are not the same."""
        wants = Wants()
        for name, target, priority, line in (
            ("a", NIGHT, 9, None),
            ("b", AWAY, 8, None),
            ("c", AWAY, 9, LINE),
        ):
            [stored] = engine_schedules(the_premises(arming(name, target, NIGHTLY, priority=priority)))
            assert (stored.priority, wants.add_stored(stored)) == (9, line)


TWO = the_premises(
    arming("dusk", HOME, Weekly(EVERY_DAY, "20:00", PRAGUE), tags=("evening",)),
    arming("night", NIGHT, NIGHTLY, tags=("evening",)),
    arming("up", DISARMED, Weekly(EVERY_DAY, "06:30", PRAGUE)),
    partitions=(a_partition(), a_partition("garage")),
)
AT_ONE_TIME = a_rule(Effect.REPLACE, "2026-12-24..2026-12-25", on="tag/evening", at="23:45")
MEET = (
    "at 2026-12-24 23:45 dusk would make house armed_home, and night armed_night, and nothing says which counts: "
    "choose another time, or name one schedule"
)


def clash_of(*rules: ExceptionRule, premises: Premises = TWO) -> str | None:
    """Return what the last of some exceptions contradicts."""
    book = Book()
    for rule in rules:
        book = book.added(rule, START).settled(START)
    return clash(excepted(book, premises), book.kept[-1], premises)


class TestExceptions:
    """What stands in comes at named instants, which are compared."""

    def test_one_time_for_two_targets(self) -> None:
        """Nothing says whether the house is to be armed home or for the night."""
        assert clash_of(AT_ONE_TIME) == MEET

    def test_another_exception(self) -> None:
        """What one was moved to, the other is moved to as well."""
        first = a_rule(Effect.REPLACE, "2026-12-25", on="schedule/dusk", at="21:00")
        second = a_rule(Effect.REPLACE, "2026-12-20..2026-12-31", on="schedule/night", at="21:00", note="fun")
        assert clash_of(first, second) == (
            "at 2026-12-25 21:00 night would make house armed_night, and dusk armed_home, and nothing says which "
            "counts: choose another time, or name one schedule"
        )
        assert clash_of(second) is None

    def test_two_vacations(self) -> None:
        """That begin together, and do not want the same."""
        first = a_rule(Effect.VACATION, "2026-12-27T10:00..2026-12-29T10:00")
        assert clash_of(first, attrs.evolve(first, target=AWAY)) is not None
        assert clash_of(first, first) is None

    @pytest.mark.parametrize(
        "rule",
        [
            a_rule(Effect.REPLACE, on="tag/evening", at="23:45", target=AWAY),
            a_rule(Effect.REPLACE, on="schedule/night", at="20:00"),
            a_rule(Effect.REPLACE, on="tag/evening", target=AWAY),
            a_rule(Effect.HOLIDAY),
            a_rule(),
        ],
        ids=["one target", "more specific", "at their times", "another day", "skipped"],
    )
    def test_what_is_none(self, rule: ExceptionRule) -> None:
        """One target; or what is otherwise at some other time of the timetable, and counts more."""
        assert clash_of(rule) is None

    def test_at_their_own_times_they_meet_as_ever(self) -> None:
        """On a holiday, too, those that meet then: the table decides, as on every other."""
        premises = the_premises(
            arming("dusk", HOME, Intersect([Cron("0 20 * * *", PRAGUE), FREE])),
            arming("night", NIGHT, Intersect([Weekly(EVERY_DAY, "20:00", PRAGUE), FREE])),
        )
        assert clash_of(a_rule(Effect.HOLIDAY), premises=premises) is None

    def test_others_may_be_more_urgent_or_disabled(self) -> None:
        """Then something says which counts."""

        def with_night(**policies: Any) -> Premises:
            dusk, night, up = TWO.schedules
            changed = attrs.evolve(night, schedule=attrs.evolve(night.schedule, **policies))
            return attrs.evolve(TWO, schedules=(dusk, changed, up))

        assert clash_of(AT_ONE_TIME, premises=with_night()) == MEET
        assert clash_of(AT_ONE_TIME, premises=with_night(priority=6)) is None
        assert clash_of(AT_ONE_TIME, premises=with_night(enabled=False)) is None

    def test_behind_a_gap_they_are_what_was_meant(self) -> None:
        """Two times that clocks make one are two: the later counts."""
        moved = [
            a_rule(Effect.REPLACE, "2027-03-28", on=f"schedule/{name}", at=at)
            for name, at in (("dusk", "02:15"), ("night", "02:45"))
        ]
        assert clash_of(*moved) is None

    def test_what_is_once_meets_what_is_once(self) -> None:
        """What stands in for something that is once is once itself."""
        at = START + 4 * DAY + HOUR
        premises = the_premises(arming("one", HOME, Once(at)), arming("two", NIGHT, Once(at + HOUR)))
        begins = "2026-12-24"
        assert clash_of(a_rule(Effect.REPLACE, begins, on="schedule/two", at="13:00"), premises=premises) is not None
        assert clash_of(a_rule(Effect.REPLACE, begins, on="schedule/two", at="13:01"), premises=premises) is None


TOML = f"""
[site.home]
timezone = "{PRAGUE}"

[partition.house]
site = "home"

[[schedule]]
name = "dusk"
partition = "house"
target = "armed_home"
cron = "0 20 * * *"
tags = ["evening"]

[[schedule]]
name = "night"
partition = "house"
target = "armed_night"
cron = "30 22 * * *"
tags = ["evening"]
"""
DECLARED = '\n[[exception]]\non = "2026-12-24..2026-12-25"\ntag = "evening"\nat = "23:45"\n'


def test_a_file_says_so_of_its_exceptions(tmp_path: Path) -> None:
    """Before any node starts."""
    fine = '\n[[exception]]\non = "2026-12-24"\ntag = "evening"\nskip = true\n'
    assert problems_of(tmp_path, TOML + fine + DECLARED.replace("-24..", "-25..")) == (
        "exception[1]: " + MEET.replace("2026-12-24", "2026-12-25"),
    )
    assert problems_of(tmp_path, TOML + fine) == ()


def test_a_running_node_keeps_what_there_was(tmp_path: Path) -> None:
    """A reload that contradicts itself changes nothing at all, and so does an exception; the house is armed as ever."""

    async def main() -> None:
        async with a_world(start_at="2026-12-24 12:00", zone=PRAGUE) as world:
            node = await world.start(config=config_of(tmp_path, TOML))
            live = node.container.get(LiveConfig)
            contradicting = (
                TOML.replace("30 22", "0 20") + '[[schedule]]\nname = "new"\nhandler = "log"\nevery = "1h"\n'
            )
            for text, line in (
                (contradicting, 'schedule "night": wants house armed_night whenever "dusk" wants it armed_home: '),
                (TOML.replace("30 22", "45 22") + DECLARED, "exception[0]: at 2026-12-24 23:45 dusk would make "),
            ):
                write(tmp_path, text)
                with pytest.raises(ConfigurationError) as caught:
                    await live.reload()
                [problem] = caught.value.problems
                assert problem.startswith(line)
            with pytest.raises(InvalidRequest, match="^" + MEET.replace(".", r"\.")):
                await live.except_(AT_ONE_TIME)
            await world.until("2026-12-24 23:55")
            assert [(one.local[11:], one.schedule) for one in await world.decisions()] == [
                ("20:00", "dusk/house"),
                ("22:30", "night/house"),
            ]

    in_virtual_time(main)
