"""The witness: handlers that note every call outside of any store, and cry out when two happen that must not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import attrs
import trio

from tests.simulation.history import BEHAVIOURS
from trioarm import Delivery, Discard, Retry, RunContext, Snooze
from trioarm.core.changes import AppendJournal
from trioarm.core.instants import SECOND
from trioarm.testing import Node

STUBBORN = "ignores_cancellation"  # by the only one that may overlap with its successor (S6.3)
LIMITED, LIMIT = "nas", 1  # a resource, and how many runs may need it at once
GAVE_UP = ("OSError", "Retry")  # what is raised by the handlers that fail
AGAIN_S = 10.0  # after so long they want another attempt, where they say so
SNOOZE_S = 60.0
KEPT = "kept"  # the journal in which handlers note their attempts
STUBBORN_S = 40.0  # how long a handler that ignores its cancellation goes on


@attrs.define
class Call:
    """One call of a handler.

    Args:
        run_id: number of the run; the same name and instant are another run once a schedule is removed and put again.
        run: its readable id.
        behaviour: of the handler.
        token: that it was called with.
        delivery: that its schedule asked for then.
        node: on which it was called.
        due_at: when its attempt was due.
        began_at: trio's time.
        began_wall: what the wall showed then.
        ended_at: likewise; None while it lasts, or if its node was killed first.
        ended_wall: what the wall showed then.
        went_well: whether it returned.
        lane: that it held.
        raised: the name of the class of what it raised; empty while it lasts, and when it returned.
        attempt: which one it is of its run.
        after_loss: whether the attempt before was lost: with its node, or because its end could not be kept in time.
    """

    run_id: int
    run: str
    behaviour: str
    token: int
    delivery: Delivery
    node: str
    due_at: int
    began_at: float
    began_wall: int
    ended_at: float | None = None
    ended_wall: int = 0
    went_well: bool = False
    lane: str | None = None
    raised: str = ""
    attempt: int = 0
    after_loss: bool = False

    @property
    def gave_up(self) -> bool:
        """Whether it failed by itself, so that another attempt follows if any is left."""
        return self.raised in GAVE_UP


class Witness:
    """Sees every call of a handler on every node of a world."""

    def __init__(self) -> None:
        self.wall: Callable[[], int] = int
        """What the wall of the world shows."""
        self.calls: dict[int, list[Call]] = defaultdict(list)
        self.complaints: list[str] = []
        self._working: dict[int, Call] = {}
        self._limited: dict[int, Call] = {}
        self._lanes: dict[str, Call] = {}
        self._last_in: dict[str, Call] = {}
        self._dead: set[str] = set()

    def handlers(self, node: str) -> dict[str, Any]:
        """Return a handler for each behaviour, for a node of this name."""

        def make(behaviour: str) -> Any:
            async def handler(run: RunContext) -> object:
                return await self._called(run, behaviour, node)

            return handler

        return {behaviour: make(behaviour) for behaviour in BEHAVIOURS}

    def redefined(self, name: str) -> None:
        """Forget what runs of a schedule need that is put: its definition says who needs what, and it may change."""
        self._limited = {run_id: call for run_id, call in self._limited.items() if call.run.split("@")[0] != name}

    def killed(self, node: Node) -> None:
        """Forget what worked on a node that was killed: it does not any more."""
        self._dead.add(node.name)
        self._working = {run_id: call for run_id, call in self._working.items() if call.node != node.name}
        self._limited = {run_id: call for run_id, call in self._limited.items() if call.node != node.name}
        self._lanes = {lane: call for lane, call in self._lanes.items() if call.node != node.name}

    async def _called(self, run: RunContext, behaviour: str, node: str) -> object:
        if node in self._dead:  # what is left of its tasks ends
            await trio.sleep_forever()
        record = run._attempt.run
        delivery = record.schedule.schedule.delivery
        call = Call(
            record.run_id, run.id, behaviour, run.token, delivery, node, record.due_at, trio.current_time(), self.wall()
        )
        call.lane, call.attempt, call.after_loss = record.lane, run.attempt, run.is_recovery
        self._judge(call)
        if LIMITED in record.schedule.schedule.resources and record.schedule.revision == 1 and behaviour != STUBBORN:
            self._limited[record.run_id] = call
            if len(self._limited) > LIMIT:
                others = ", ".join(other.run for other in self._limited.values() if other is not call)
                self.complaints.append(f"{call.run} is called while {others} need {LIMITED}, too")
        self.calls[record.run_id].append(call)
        self._working[record.run_id] = call
        if record.lane is not None:
            self._lanes[record.lane] = self._last_in[record.lane] = call
        try:
            answer = await self._behave(run, behaviour)
            call.went_well = True
            return answer
        except (OSError, Retry, Snooze, Discard, trio.Cancelled) as error:
            call.raised = type(error).__name__
            raise
        finally:
            if node not in self._dead:
                call.ended_at, call.ended_wall = trio.current_time(), self.wall()
                if self._limited.get(call.run_id) is call:
                    del self._limited[call.run_id]
                if self._working.get(call.run_id) is call:
                    del self._working[call.run_id]
                if self._lanes.get(record.lane or "") is call:
                    del self._lanes[record.lane or ""]

    def _judge(self, call: Call) -> None:
        before, lane = self.calls[call.run_id], call.lane
        if (other := self._working.get(call.run_id)) is not None and other.behaviour != STUBBORN:
            self.complaints.append(f"{call.run} is called on {call.node} while it works on {other.node}")
        if (other := self._lanes.get(lane or "")) is not None and other.behaviour != STUBBORN:
            self.complaints.append(f"{call.run} is called while {other.run} holds {lane}")
        between = self._last_in.get(lane or "")
        if before and between and between.run_id != call.run_id and before[-1].gave_up and before[-1].lane == lane:
            self.complaints.append(f"{call.run} waited for this attempt, and {between.run} was let into {lane}")
        if before and call.token <= before[-1].token:
            self.complaints.append(f"{call.run} is called with token {call.token} after {before[-1].token}")
        if before and call.delivery is Delivery.AT_MOST_ONCE:
            self.complaints.append(f"{call.run} is called again, though it is delivered at most once")
        if before and before[-1].node in self._dead and before[-1].ended_at is None and not call.after_loss:
            self.complaints.append(f"{call.run} is not told that {before[-1].node} was lost while it worked")

    async def _behave(self, run: RunContext, behaviour: str) -> object:
        await trio.sleep(1)
        match behaviour:
            case "fails_at_first" if run.attempt == 1:
                raise OSError("at first")
            case "breaks":
                raise OSError("as ever")
            case "always_fails":
                raise Retry("always", after_s=AGAIN_S)
            case "hangs":
                await trio.sleep_forever()
            case "ignores_cancellation":
                with trio.CancelScope(shield=True):
                    await trio.sleep(STUBBORN_S)
            case "snoozes" if len(self.calls[run._attempt.run.run_id]) < 3:
                raise Snooze(self.wall() + round(SNOOZE_S * SECOND))
            case "discards":
                raise Discard("useless")
            case "keeps":
                self._keep(run)
                if run.attempt == 1:
                    raise OSError("at first")
            case "returns_junk":
                return object()
            case "is_slow":
                await trio.sleep(70)
        return None

    def _keep(self, run: RunContext) -> None:
        """Say how far an attempt is, and note it with its outcome; what was said before is known unless it was lost."""
        *before, call = self.calls[run._attempt.run.run_id]
        said = sum(other.behaviour == call.behaviour for other in before)
        if not call.after_loss and run.last_progress != (said or None):
            self.complaints.append(f"{call.run} finds {run.last_progress} after {said} calls said how far they were")
        run.progress(said + 1)
        run.keep(AppendJournal(KEPT, {"run": call.run_id, "token": call.token}, self.wall()))
