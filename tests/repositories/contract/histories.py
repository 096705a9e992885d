"""Drawn histories: whatever is done in whatever order, a repository and the model hold the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import attrs
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.making import NOW, a_run, a_schedule
from tests.repositories.contract.acts import putting, schedule_of
from tests.repositories.contract.model import HELD, Model, RunRow, ScheduleRow
from trioarm.core.chain import broken_links
from trioarm.core.changes import (
    AppendJournal,
    CancelAsked,
    Change,
    Claim,
    CursorMove,
    Finished,
    PutDocument,
    RemoveSchedule,
    Requeued,
    Started,
    Verdict,
)
from trioarm.core.queries import Kept, Retention, RunOrder, RunQuery, ScheduleOrder, ScheduleQuery
from trioarm.core.record import Pause, ScheduleRecord, ScheduleState
from trioarm.core.run import Origin, RunRecord
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.engine.ports import ScheduleRepository

Factory: TypeAlias = Callable[[], AbstractAsyncContextManager[ScheduleRepository]]
Part: TypeAlias = tuple[str, Any, bool, Callable[[], None]]  # (field of a change, what, whether it fits, its effect)

NAMES = ("a", "b", "c", "d")
LANES = (None, "house", "garden")
_LANES_PUT = ("house", "house", None, "garden")
HANDLERS = ("arm", "work")
_PUT_STATES = (ScheduleState.ACTIVE, ScheduleState.ACTIVE, ScheduleState.PAUSED, ScheduleState.FINISHED)
_DECIDED = (State.PENDING, State.PENDING, State.PENDING, State.CLAIMED, State.SKIPPED, State.MISSED)
_LAST_STEPS = (Step.SUCCEED, Step.FAIL, Step.CANCEL, Step.MISS, Step.SUPERSEDE, Step.TIME_OUT, Step.LOSE, Step.CLAIM)
_REQUEUES = (Step.RETRY, Step.SNOOZE, Step.GIVE_BACK)


@attrs.frozen
class Act:
    """One act of a history; what its numbers mean depends on the kind, and they are taken modulo what there is."""

    kind: str
    who: int
    how: int
    when: int
    stale: bool


_KINDS = (
    "put", "put", "put", "remove", *["decide"] * 7, *["claim"] * 5, "start", "finish", "finish", "finish",
    "requeue", "requeue", "postpone", "ask", *["move"] * 3, "document", "journal", "bundle", "look", "look", "look",
    "prune",
)  # fmt: skip
_acts = st.builds(
    Act,
    kind=st.sampled_from(_KINDS),
    who=st.integers(0, 30),
    how=st.integers(0, 400),
    when=st.integers(0, 6),
    stale=st.sampled_from((False, False, False, False, False, True)),
)


class History:
    """A repository and the model, side by side."""

    def __init__(self, repository: ScheduleRepository, met: Counter[str]) -> None:
        self.repository = repository
        self.model = Model()
        self.now = NOW
        self.met = met

    async def do(self, act: Act) -> None:
        """Carry out one act on both and compare all they hold."""
        if act.kind == "look":
            await self._look(act.when)
        elif act.kind == "prune":
            await self._prune(act)
        else:
            kinds = ("decide", "move", "finish", "document", "journal") if act.kind == "bundle" else (act.kind,)
            parts = [part for kind in kinds if (part := await self._part(kind, act)) is not None]
            await self._commit(act.kind, parts)
        await self._compare()

    async def _commit(self, kind: str, parts: list[Part]) -> None:
        fields: dict[str, list[Any]] = {}
        for field, what, _, _ in parts:
            fields.setdefault(field, []).append(what)
        fits = all(fit for _, _, fit, _ in parts)
        (verdict,) = await self.repository.commit([Change(**fields)])
        assert verdict is (Verdict.DONE if fits else Verdict.REFUSED)
        self.met[f"{kind} {verdict}"] += 1
        if fits:
            for _, _, _, effect in parts:
                effect()

    async def _part(self, kind: str, act: Act) -> Part | None:
        if kind in ("put", "document", "journal"):
            return await getattr(self, f"_{kind}")(act)
        if kind in ("remove", "decide", "move"):
            row = self.model.named(NAMES[act.who % len(NAMES)])
            if kind == "move" and act.how % 2:  # likely one whose pause it may end
                row = next((one for one in self.model.schedules if one.pause is not None and not one.removed), row)
            if row is None:
                return None
            return getattr(self, f"_{kind}")(act, row, await schedule_of(self.repository, row.name))
        runs = self._candidates(kind) or self.model.unfinished() or self.model.runs
        if not runs:
            return None
        run = runs[act.who % len(runs)]
        record = await self.repository.get_run(run.run_id)
        assert record is not None
        return getattr(self, f"_{kind}")(act, run, record, run.token - act.stale)

    def _candidates(self, kind: str) -> list[RunRow]:
        """Return the runs for which an act is likely to fit."""
        wanted = {
            "claim": (State.PENDING,), "postpone": (State.PENDING,), "start": (State.CLAIMED,),
            "requeue": HELD, "ask": HELD,
        }.get(kind)  # fmt: skip
        return [run for run in self.model.runs if wanted and run.state in wanted]

    # Schedules

    async def _put(self, act: Act) -> Part:
        name, lane = NAMES[act.who % len(NAMES)], _LANES_PUT[act.how % 4]
        policies = {
            "handler": HANDLERS[act.how // 4 % 2],
            "supersede": lane is not None and act.how // 8 % 2 == 0,
            "priority": (5, 5, 8)[act.how // 16 % 3],
        }
        state = _PUT_STATES[act.how // 48 % 4]
        row = self.model.named(name)
        stored = await self.repository.get_schedule(name)
        key, revision = (stored.key, row.revision) if stored and row else (0, 0)
        was = (None, None) if row is None or act.how % 5 == 0 else (row.cursor_at, row.next_due_at)
        if act.stale and row is not None and act.when % 3 == 0:  # somebody decided in between
            was = (row.cursor_at - 1, row.next_due_at) if act.how % 2 else (row.cursor_at, self.now - 9)
        elif act.stale:  # half of them by the key alone: what a predecessor of the same name would have said
            key, revision = (key + 1, revision) if act.when % 2 else (key, revision + 1)
        next_due_at = None if act.when == 6 else self.now + act.when - 1
        schedule = a_schedule(name, lane=lane, **policies)
        pause = None
        if state is ScheduleState.PAUSED and act.when < 5:  # else by its definition
            pause = Pause("somebody", "", self.now, None if act.when == 4 else self.now + act.when)
        after = {"next_due_at": next_due_at, "cursor_at": self.now, "state": state, "pause": pause}
        step = putting(schedule, revision, key, was=was, **after)

        def effect() -> None:
            kept = row
            if kept is None:
                kept = ScheduleRow(len(self.model.schedules) + 1, name, "", None, False, 0, 0, 0, None, 0, state, None)
                self.model.schedules.append(kept)
            kept.revision += 1
            kept.lane, kept.state, kept.next_due_at, kept.cursor_at = lane, state, next_due_at, self.now
            kept.pause = pause
            kept.handler, kept.supersede, kept.priority = (
                policies[key] for key in ("handler", "supersede", "priority")
            )

        return "schedules", step, not act.stale, effect

    def _remove(self, act: Act, row: ScheduleRow, record: ScheduleRecord) -> Part:
        def effect() -> None:
            row.removed = True

        return "schedules", RemoveSchedule(record, row.revision + act.stale), not act.stale, effect

    def _move(self, act: Act, row: ScheduleRow, record: ScheduleRecord) -> Part:
        next_due_at = None if act.when == 6 else self.now + act.when
        state = ScheduleState.FINISHED if next_due_at is None else ScheduleState.ACTIVE
        cursor_at = row.cursor_at - act.stale
        resumed = row.state is ScheduleState.PAUSED and act.how % 4 > 0
        step = CursorMove(record, cursor_at, row.revision, self.now, next_due_at, row.runs + 1, state, None, resumed)

        def effect() -> None:
            row.cursor_at, row.next_due_at, row.runs, row.state = self.now, next_due_at, row.runs + 1, state
            if resumed:
                row.pause = None
                self.met["resumed"] += 1

        return "moved", step, not act.stale, effect

    # Runs

    def _decide(self, act: Act, row: ScheduleRow, record: ScheduleRecord) -> Part:
        nominal_at = NOW + act.how % 16
        state = _DECIDED[act.how // 16 % 6]
        if act.kind == "bundle" and state is State.CLAIMED:
            state = State.PENDING
        fields: dict[str, Any] = {"due_at": self.now + max(0, act.when - 3), "decided_at": self.now, "state": state}
        if state is State.PENDING:
            fields["give_up_at"] = (None, fields["due_at"] + 2)[act.how // 96 % 2]
        elif state is State.CLAIMED:
            fields |= {"attempt": 1, "token": 1, "node": "n1", "waiting_for": None, "due_at": self.now}
        else:
            fields |= {"finished_at": self.now, "waiting_for": None}
        run = a_run(record, nominal_at, **fields)

        def effect() -> None:
            assert run.run_id > self.model.last_run_id
            self.model.last_run_id = run.run_id
            self.model.runs.append(
                RunRow(
                    run.run_id, row, nominal_at, run.due_at, row.lane, state,
                    fields.get("attempt", 0), fields.get("token", 0), fields.get("node"),
                    fields.get("give_up_at"), fields.get("finished_at"),
                )
            )  # fmt: skip

        return "decided", run, self.model.may_decide(row.key, nominal_at, state, row.lane), effect

    def _claim(self, act: Act, run: RunRow, record: RunRecord, token: int) -> Part:
        node = ("n1", "n2")[act.how % 2]

        def effect() -> None:
            run.state, run.token, run.attempt, run.node = State.CLAIMED, run.token + 1, run.attempt + 1, node
            run.give_up_at = None

        return "steps", Claim(record, token, node, self.now), self.model.may_claim(run, token), effect

    def _start(self, act: Act, run: RunRow, record: RunRecord, token: int) -> Part:
        def effect() -> None:
            run.state = State.RUNNING

        return "steps", Started(record, token, self.now), self.model.may_step(run, token, Step.START), effect

    def _finish(self, act: Act, run: RunRow, record: RunRecord, token: int) -> Part:
        step = _LAST_STEPS[act.how % len(_LAST_STEPS)]
        if step is Step.CLAIM:  # always wrong as a last step of a held run, and no last step of a pending one
            step = Step.OVERRIDE

        def effect() -> None:
            run.state, run.finished_at = _TARGET[step], self.now

        return "steps", Finished(record, token, step, self.now), self.model.may_step(run, token, step), effect

    def _requeue(self, act: Act, run: RunRow, record: RunRecord, token: int) -> Part:
        step = _REQUEUES[act.how % 3]
        attempt = run.attempt if step is Step.RETRY else max(0, run.attempt - 1)
        due_at = self.now + act.when // 2
        give_up_at = due_at + 3 if act.how % 5 == 0 else None
        requeued = Requeued(record, token, step, self.now, attempt, due_at, WaitingFor.RETRY, give_up_at=give_up_at)

        def effect() -> None:
            run.state, run.attempt, run.due_at, run.give_up_at = State.PENDING, attempt, due_at, give_up_at

        fits = run.cancel is None and self.model.may_step(run, token, step)
        return "steps", requeued, fits, effect

    def _postpone(self, act: Act, run: RunRow, record: RunRecord, token: int) -> Part:
        due_at = self.now + act.when // 2
        give_up_at = due_at + 3 if act.how % 5 == 0 else None
        waiting = WaitingFor.POSTPONE
        step = Requeued(record, token, Step.POSTPONE, self.now, run.attempt, due_at, waiting, give_up_at=give_up_at)

        def effect() -> None:
            run.due_at, run.give_up_at = due_at, give_up_at

        return "steps", step, self.model.may_step(run, token, Step.POSTPONE), effect

    def _ask(self, act: Act, run: RunRow, record: RunRecord, token: int) -> Part:
        def effect() -> None:
            run.cancel = Reason.USER

        fits = run.state in HELD and run.token == token
        return "steps", CancelAsked(record, token, Reason.USER, self.now), fits, effect

    # Papers

    async def _document(self, act: Act) -> Part:
        key = NAMES[act.who % len(NAMES)]
        version, _ = self.model.documents.get(key, (0, 0))
        body = None if act.how % 4 == 0 and version else {"n": act.how}

        def effect() -> None:
            if body is None:
                del self.model.documents[key]
            else:
                self.model.documents[key] = (version + 1, act.how)

        return "documents", PutDocument("panel", key, version + act.stale, body), not act.stale, effect

    async def _journal(self, act: Act) -> Part:
        def effect() -> None:
            self.model.journal.append(act.how)

        return "journal", AppendJournal("audit", {"n": act.how}, self.now), True, effect

    # Time

    async def _look(self, later: int) -> None:
        """Let time pass, look at what is due, settle what expired, and compare what could start."""
        self.now += later
        model, now = self.model, self.now
        view = await self.repository.read_due(now, 1_000)
        groups = [
            (frozenset(one.schedule.name for one in group.schedules), frozenset(run.run_id for run in group.unfinished))
            for group in view.groups
        ]
        assert len(groups) == len(set(groups))
        assert set(groups) == model.due_groups(now)
        dues = [
            min(one.wakes_at or now for one in group.schedules) for group in view.groups if len(group.schedules) < 2
        ]
        assert dues == sorted(dues)
        assert sorted(run.run_id for run in view.expired) == sorted(model.expired(now))
        for lane in {one.schedule.lane for group in view.groups for one in group.schedules} - {None}:
            assert (lane in view.busy_lanes) == (model.holder(lane) is not None)
        for run in [one for one in model.runs if one.run_id in model.expired(now)]:
            record = await self.repository.get_run(run.run_id)
            assert record is not None
            await self._commit("expire", [self._finish(Act("finish", 0, 3, 0, False), run, record, run.token)])
        for handlers in (("arm",), ("work",), HANDLERS):
            ready = model.ready(now, handlers)
            runs = await self.repository.read_ready(handlers, 1_000)
            found = [run.run_id for run in runs]
            assert [run_id for run_id in ready if run_id in found] == found
            assert set(model.first_ready(ready)) <= set(found)
            self.met["ready"] += len(found)
            for limit in (1, 2):
                assert [run.run_id for run in await self.repository.read_ready(handlers, limit)] == found[:limit]
            aged = sorted((run for run in runs if run.due_at < now - 1), key=lambda run: (run.due_at, run.run_id))
            in_turn = [*aged, *(run for run in runs if run not in aged)]
            for limit in (1, 2, 1_000):
                assert await self.repository.read_ready(handlers, limit, now - 2) == in_turn[:limit]
        assert self.repository.next_due_at == model.next_due_at(now)

    async def _prune(self, act: Act) -> None:
        apart = Kept(frozenset({State.SUCCEEDED, State.MISSED}), self.now - 3 * act.when, 1 + act.how % 3)
        retention: dict[str, Any] = {
            "runs_before": self.now - act.when,
            "runs_max": 1 + act.how % 4,
            "schedules_before": self.now - act.when,
            "limit": (1, 2, 1_000)[act.who % 3],
            "apart": (apart,) if act.how % 2 else (),
        }
        pruned = -1
        while pruned:  # until nothing is left: which of what may be forgotten goes first, is not said
            pruned = await self.repository.prune(Retention(**retention))
            assert pruned == self.model.prune(**retention)
            self.met["pruned"] += pruned

    # Comparing

    async def _compare(self) -> None:
        repository, model = self.repository, self.model
        living = sorted((row for row in model.schedules if not row.removed), key=lambda row: row.name)
        records = await _pages(repository.find_schedules, ScheduleQuery(limit=3, order=ScheduleOrder.NAME))
        assert [_schedule_values(record) for record in records] == [_row_values(row) for row in living]
        runs = await _pages(repository.find_runs, RunQuery(limit=7))
        assert [_run_values(run) for run in runs] == [_run_row_values(run) for run in model.runs]
        by_due = await _pages(repository.find_runs, RunQuery(limit=5, order=RunOrder.DUE_AT, descending=True))
        latest = sorted(model.runs, key=lambda run: (run.due_at, run.run_id), reverse=True)
        assert [run.run_id for run in by_due] == [run.run_id for run in latest]
        unfinished = await repository.unfinished_runs()
        assert [run.run_id for run in unfinished] == [run.run_id for run in model.unfinished()]
        held = await repository.unfinished_runs(node="n1")
        mine = [run.run_id for run in model.runs if run.state in HELD and run.node == "n1"]
        assert [run.run_id for run in held] == mine
        statistics = await repository.statistics()
        counted = {state: count for state, count in statistics.runs.items() if count}
        assert counted == Counter(run.state for run in model.runs)
        pending = [run.due_at for run in model.runs if run.state is State.PENDING]
        assert statistics.oldest_pending_at == min(pending, default=None)
        documents = await repository.list_documents("panel")
        assert {one.key: (one.version, one.body["n"]) for one in documents} == model.documents
        entries = await repository.read_journal("audit", limit=1_000)
        assert [(entry.seq, entry.body["n"]) for entry in entries] == list(enumerate(model.journal, 1))
        assert list(broken_links(entries, whole=True)) == []


_TARGET = {
    Step.SUCCEED: State.SUCCEEDED,
    Step.FAIL: State.FAILED,
    Step.CANCEL: State.CANCELLED,
    Step.MISS: State.MISSED,
    Step.SUPERSEDE: State.SUPERSEDED,
    Step.TIME_OUT: State.TIMED_OUT,
    Step.LOSE: State.UNKNOWN,
    Step.OVERRIDE: State.OVERRIDDEN,
}


async def _pages(find: Callable[[Any], Any], query: Any) -> list[Any]:
    rows: list[Any] = []
    while True:
        page = await find(query)
        rows += page.rows
        if page.next is None:
            return rows
        query = attrs.evolve(query, after=page.next)


def _schedule_values(record: ScheduleRecord) -> tuple[Any, ...]:
    schedule = record.schedule
    return (
        schedule.name, schedule.handler, schedule.lane, schedule.supersede, schedule.priority,
        record.revision, record.cursor_at, record.next_due_at, record.runs, record.state, record.pause,
    )  # fmt: skip


def _row_values(row: ScheduleRow) -> tuple[Any, ...]:
    return (
        row.name, row.handler, row.lane, row.supersede, row.priority,
        row.revision, row.cursor_at, row.next_due_at, row.runs, row.state, row.pause,
    )  # fmt: skip


def _run_values(run: RunRecord) -> tuple[Any, ...]:
    assert (run.occurrence[1:], run.origin) == ((0, run.nominal_at), Origin.SCHEDULE)
    return (
        run.run_id, run.schedule.schedule.name, run.nominal_at, run.due_at, run.lane, run.state,
        run.attempt, run.token, run.node, run.give_up_at, run.finished_at, run.cancel,
    )  # fmt: skip


def _run_row_values(run: RunRow) -> tuple[Any, ...]:
    return (
        run.run_id, run.schedule.name, run.nominal_at, run.due_at, run.lane, run.state,
        run.attempt, run.token, run.node, run.give_up_at, run.finished_at, run.cancel,
    )  # fmt: skip


def check_histories(open_repository: Factory, examples: int = 200, length: int = 60) -> Counter[str]:
    """Run drawn histories against a repository and the model.

    Returns:
        how often each kind of change was kept and refused, so that a test can demand that it was met at all.
    """
    met: Counter[str] = Counter()

    async def live(acts: list[Act]) -> None:
        async with open_repository() as repository:
            history = History(repository, met)
            for who in range(len(NAMES)):  # the last is paused for a while
                await history.do(Act("put", who, 8 * (who % 3) + 96 * (who == 3), 3, False))
            for act in acts:
                await history.do(act)
            await history.do(Act("look", 0, 0, 3, False))

    @given(st.integers(length // 4, length).flatmap(lambda size: st.lists(_acts, min_size=size, max_size=size)))
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    def histories(acts: list[Act]) -> None:
        trio.run(live, acts)

    histories()
    return met
