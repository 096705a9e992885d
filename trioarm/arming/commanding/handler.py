"""The handler `arm`: carries one occurrence out, and succeeds only once the panel itself says so (A3.1)."""

from __future__ import annotations

from collections.abc import Mapping

from trioarm.arming.commanding.errand import Errand, Rules, Terms
from trioarm.arming.commanding.pursuit import Way
from trioarm.arming.compile import depends_in
from trioarm.arming.conditions.asking import Conditions
from trioarm.arming.holds import Holds
from trioarm.arming.model import InvalidRequest, Partition, Premises, Target
from trioarm.arming.panels.base import PanelFailure
from trioarm.core.jsonable import Json
from trioarm.core.outcome import Discard
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import RunContext


class ArmHandler:
    """Carries out the occurrences of all partitions.

    Args:
        premises: partitions and limits.
        ways: how each partition is reached.
        holds: what people asked to be left alone.
        alerts: what people were told.
        conditions: whom those are asked of that schedules depend on.
    """

    def __init__(
        self,
        premises: Premises,
        ways: Mapping[str, Way],
        holds: Holds,
        alerts: AlertCommands,
        conditions: Conditions,
    ) -> None:
        self._ways = ways
        self._conditions = conditions
        self.declare(premises)
        self._holds = holds
        self._alerts = alerts

    def declare(self, premises: Premises) -> None:
        """Go by other limits from the next occurrence on; partitions stay those there are."""
        self._rules = Rules(late_disarm_s=premises.late_disarm_s, on_time_s=premises.on_time_s)

    async def arm(self, run: RunContext) -> Json:
        """Bring the partition `args.partition` to `args.target`, and verify that it is there.

        Returns:
            the partition, what it reports, and how many commands that took.

        Raises:
            Discard: it cannot be done; the message names the cause and what to do.
            Retry: the panel cannot be reached; the run is tried again for as long as it may be carried out.
            Override: a person changed the partition since it was due, or holds it, or a condition says no: nothing was
                sent.
            Snooze: it is late, and people are warned first; or it waits for conditions that nobody can tell.

        Cancellation: at any checkpoint. A command that was announced may have been sent; the next attempt reads first.
        """
        partition, target = self._meant(run)
        try:
            depends = depends_in(run.args)
        except InvalidRequest as error:
            raise Discard(f"nobody can tell what {run.schedule} depends on: {error}; declare it anew") from None
        terms = Terms(target=target, depends=depends, conditions=self._conditions)
        errand = Errand(run, self._ways[partition.name], terms, self._rules, self._holds, self._alerts)
        try:
            await errand.begin()
            report = await errand.carry_out()
        except PanelFailure as failure:
            raise await errand.give_up(failure) from failure
        await errand.succeed(report)
        return {"partition": partition.name, "reported": report.state.value, "sends": errand.sent.sends}

    def _meant(self, run: RunContext) -> tuple[Partition, Target]:
        name, word = run.args.get("partition"), run.args.get("target")
        way = self._ways.get(name) if isinstance(name, str) else None
        if way is None:
            raise Discard(f"there is no partition {name!r}: add it, or remove the schedule {run.schedule}")
        if not isinstance(word, str) or word not in {target.value for target in Target}:
            raise Discard(f"{name} cannot become {word!r}: a target is one of {', '.join(Target)}")
        target = Target(word)
        if target is Target.DISARMED and not way.partition.allow_disarm:
            raise Discard(f"{name} may not be disarmed by schedules: set allow_disarm = true if it may")
        return way.partition, target
