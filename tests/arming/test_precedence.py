"""Which of several commands at one instant counts: priority, what is more specific, what protects more (A4.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.arming.houses import PRAGUE, a_config, audit_of, panel_of
from tests.arming.premises import AWAY, DISARMED, HOME, NIGHT, arming, the_premises
from tests.arming.test_excepting import EVERY_DAY, Said, a_rule
from tests.making import a_record
from tests.world import in_virtual_time
from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.contradictions import Wants
from trioarm.arming.conflicts.precedence import PROTECTION, Specificity, precedence, ranked, specificity_of
from trioarm.arming.conflicts.undone import with_conflicts
from trioarm.arming.model import ArmingSchedule, Effect, Premises, Reported, Target
from trioarm.arming.timeline import desired
from trioarm.core.diff import first_records
from trioarm.core.forecast import Foreseen, preview
from trioarm.core.instants import DAY, HOUR, MINUTE, parse_instant
from trioarm.core.planning import Group, PlanRules, plan
from trioarm.core.run import RunRecord
from trioarm.core.schedule import PRECEDENCE_MAX, Schedule
from trioarm.core.states import Reason, State
from trioarm.core.triggers import Cron, Exclude, Intersect, Once, Trigger, Union, Weekly
from trioarm.testing.stores import FileStore
from trioarm.testing.world import a_world

AT: Final = parse_instant("2026-12-21T22:30:00+01:00")
RULES: Final = PlanRules()
VACATION, BYPASS = Target.ARMED_VACATION, Target.ARMED_CUSTOM_BYPASS

# What the page says, written down a second time.
PROTECTS: Final = {DISARMED: 0, BYPASS: 1, HOME: 2, NIGHT: 3, AWAY: 4, VACATION: 4}
SPECIFIC: Final = ("recurring", "exception", "once")

Kind = tuple[int, str, Target]
KINDS: Final[list[Kind]] = list(product((5, 6), SPECIFIC, PROTECTS))


def at_that_instant(name: str, kind: Kind, place: int) -> Schedule:
    """Return what the engine runs of a schedule of a kind that comes at `AT`; in another place, by another trigger."""
    priority, specificity, target = kind
    book, days = Said(), (EVERY_DAY, ["mon"])[place]
    match specificity:
        case "recurring":
            trigger: Trigger = Weekly(days, "22:30", PRAGUE)
        case "once":
            trigger = (Once(AT), Union([Once(AT), Once(AT + DAY)]))[place]
        case _:
            trigger = Weekly(days, "18:00", PRAGUE)
            rule = a_rule(Effect.REPLACE, "2026-12-21", at="22:30", on=f"schedule/{name}")
            book = book.added(rule, AT - DAY)
    premises = the_premises(arming(name, target, trigger, priority=priority))
    found = engine_schedules(attrs.evolve(premises, exceptions=book.kept))
    [one] = [one for one in found if one.next_after(AT - 1, one.trigger) == AT]
    return one


def decided(schedules: Sequence[Schedule], at: int) -> list[RunRecord]:
    """Return what planning decides of one lane at an instant."""
    records = [a_record(one, key=key, cursor_at=at - 1) for key, one in enumerate(schedules, 1)]
    return [*plan(Group(records), at, RULES).decided]


def winner(schedules: Sequence[Schedule], at: int) -> Schedule:
    """Return the one that counts, when all others are superseded."""
    rows = decided(schedules, at)
    [ran] = [row for row in rows if row.state is State.PENDING]
    assert {row.reason for row in rows if row is not ran} <= {Reason.SUPERSEDED}
    return ran.schedule.schedule


@pytest.mark.parametrize(("one", "other"), list(product(SPECIFIC, SPECIFIC)), ids="-".join)
def test_every_pair(one: str, other: str) -> None:
    """The higher priority; of equal ones the more specific; of these what protects more; of these the later name."""
    ours = {kind: at_that_instant("z-ours", kind, 0) for kind in KINDS if kind[1] == one}
    theirs = {kind: at_that_instant("a-theirs", kind, 1) for kind in KINDS if kind[1] == other}
    assert len(ours) == len(theirs) == 12
    for mine, yours in product(ours, theirs):
        weights = [(priority, SPECIFIC.index(how), PROTECTS[target]) for priority, how, target in (mine, yours)]
        expected = ours[mine] if weights[0] >= weights[1] else theirs[yours]
        for lane in ([ours[mine], theirs[yours]], [theirs[yours], ours[mine]]):
            assert winner(lane, AT) is expected, (mine, yours)


def test_every_target_has_a_place() -> None:
    """Also one that comes to be; and each number is one that the engine takes."""
    assert PROTECTION == PROTECTS
    assert set(PROTECTION) == set(Target)
    every = [precedence(*kind) for kind in product(range(10), Specificity, Target)]
    assert 0 <= min(every) <= max(every) <= PRECEDENCE_MAX


@pytest.mark.parametrize(
    ("trigger", "specificity"),
    [
        (Once(AT), Specificity.ONCE),
        (Union([Once(AT), Once(AT + DAY)]), Specificity.ONCE),
        (Exclude([Once(AT), Cron("0 0 1 1 *")]), Specificity.ONCE),
        (Intersect([Cron("30 21 * * *"), Once(AT)]), Specificity.ONCE),
        (Union([Once(AT), Cron("0 0 1 1 *")]), Specificity.RECURRING),
        (Exclude([Cron("0 0 * * *"), Once(AT)]), Specificity.RECURRING),
        (Cron("0 0 1 1 *"), Specificity.RECURRING),
    ],
)
def test_who_names_instants_is_once(trigger: Trigger, specificity: Specificity) -> None:
    """Several named instants are as specific as one; what recurs is not, however rarely."""
    assert specificity_of(trigger) is specificity


def test_an_exception_to_what_is_once_stays_once() -> None:
    """What stands in for something is no less specific than that."""
    rule = a_rule(Effect.REPLACE, "2026-12-21", target=HOME, on="schedule/tonight")
    premises = the_premises(arming("tonight", AWAY, Once(AT)))
    kept = Said().added(rule, AT - DAY).kept
    [as_ever, instead] = engine_schedules(attrs.evolve(premises, exceptions=kept))
    assert ranked(as_ever) == "priority 5, once, armed_away"
    assert ranked(instead) == "priority 5, once, armed_home"


class TestOneOrderForAll:
    """Planning, previews and the desired state never disagree."""

    GAP: Final = parse_instant("2026-03-29T01:00:00Z")  # to which clocks in Prague skip an hour
    TIMES: Final = ("02:00", "02:15", "02:45", "02:59", "03:00")

    @staticmethod
    def meant(one: ArmingSchedule) -> int:
        """Return the minute of the day that a schedule means by the instant of the gap."""
        trigger = one.schedule.trigger
        if isinstance(trigger, Weekly):
            return max(60 * int(at[:2]) + int(at[3:]) for at in trigger.at)
        return 180

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(TIMES) | st.none(),
                st.sampled_from((("sun",), EVERY_DAY, ("sat", "sun"))),
                st.sampled_from(tuple(Target)),
                st.integers(4, 9),
                st.sampled_from("abcdef"),
            ),
            min_size=1,
            max_size=6,
            unique_by=lambda one: one[4],
        )
    )
    @settings(max_examples=400, deadline=None, derandomize=True)
    def test_at_equal_instants(self, drawn: list[tuple[str | None, tuple[str, ...], Target, int, str]]) -> None:
        """Whatever comes at one instant, also behind a gap that makes one instant of several times."""
        wants, schedules = Wants(), []
        for at, days, target, priority, name in drawn:
            trigger: Trigger = Once(self.GAP) if at is None else Weekly(days, at, PRAGUE)
            one = arming(name, target, trigger, priority=priority)
            if wants.add(one) is None:
                schedules.append(one)
        expected = max(schedules, key=self.weight).schedule.name + "/house"
        compiled = engine_schedules(the_premises(*schedules))
        assert winner(compiled, self.GAP).name == expected
        wanted = desired(compiled, "house", self.GAP)
        assert wanted is not None
        assert (wanted.schedule, wanted.since_at) == (expected, self.GAP)
        assert [one.schedule.name for one in self.foreseen(compiled) if one.decision is State.PENDING] == [expected]

    def weight(self, one: ArmingSchedule) -> tuple[int, int, int, int, str]:
        """Return what decides, as the page says it."""
        schedule = one.schedule
        is_once = isinstance(schedule.trigger, Once)
        return self.meant(one), schedule.priority, 2 * is_once, PROTECTS[one.target], schedule.name

    def foreseen(self, schedules: Sequence[Schedule]) -> Iterator[Foreseen]:
        """Yield what a preview shows of the instant."""
        records = first_records(schedules, self.GAP - MINUTE)
        yield from (one for one in preview(records, self.GAP - MINUTE, self.GAP, RULES) if one.nominal_at == self.GAP)


def test_the_same_target_merges() -> None:
    """Two that want the same at one instant lead to one command, and the preview calls that no conflict."""
    premises = the_premises(
        arming("night", NIGHT, Weekly(EVERY_DAY, "22:30", PRAGUE)),
        arming("again", NIGHT, Weekly(["mon"], "22:30", PRAGUE)),
        arming("and-again", NIGHT, Weekly(EVERY_DAY, "22:30", PRAGUE)),
    )
    records = first_records(engine_schedules(premises), AT - HOUR)
    found = list(with_conflicts(preview(records, AT - HOUR, AT, RULES)))
    assert sorted((one.schedule.name, one.decision, conflict) for one, conflict in found) == [
        ("again/house", State.SUPERSEDED, None),
        ("and-again/house", State.SUPERSEDED, None),
        ("night/house", State.PENDING, None),
    ]


def of_an_evening() -> Premises:
    """Return schedules that meet three times in an evening: two of them, two others, and two that want the same."""

    def daily(at: str) -> Weekly:
        return Weekly(EVERY_DAY, at, PRAGUE)

    return the_premises(
        arming("home", HOME, daily("22:30")),
        arming("monday", AWAY, Weekly(["mon"], "22:30", PRAGUE)),
        arming("late", NIGHT, daily("22:50")),
        arming("tonight", HOME, Once(AT + 20 * MINUTE)),
        arming("night", NIGHT, daily("23:10")),
        arming("night-too", NIGHT, daily("23:10")),
    )


def test_a_node_on_a_file_commands_once(tmp_path: Path) -> None:
    """What protects more; then what is once; then the two that are one. Each time there is one command."""

    async def main() -> None:
        config = a_config(*of_an_evening().schedules)
        async with a_world(FileStore(tmp_path / "trioarm.db"), start_at="2026-12-21 22:25", zone=PRAGUE) as world:
            node = await world.start(config=config)
            became = []
            for at in ("22:40", "23:00", "23:20"):
                await world.until(f"2026-12-21 {at}")
                became.append((await panel_of(node).read_state()).state)
            assert became == [Reported.ARMED_AWAY, Reported.ARMED_HOME, Reported.ARMED_NIGHT]
            sent = [(one.verb, one.correlation.partition("@")[0]) for one in await audit_of(world)]
            assert sent == [("arm", f"{name}/house") for name in ("monday", "tonight", "night")]
            assert sorted((one.local[11:], one.schedule, one.state) for one in await world.decisions()) == [
                ("22:30", "home/house", State.SUPERSEDED),
                ("22:30", "monday/house", State.SUCCEEDED),
                ("22:50", "late/house", State.SUPERSEDED),
                ("22:50", "tonight/house", State.SUCCEEDED),
                ("23:10", "night-too/house", State.SUPERSEDED),
                ("23:10", "night/house", State.SUCCEEDED),
            ]

    in_virtual_time(main)
