"""Recovering from errors: a bank that is closed, busy, out of reach or does not know the receiver, and a node that dies
in the middle of a payment. Nothing is paid twice, and what is broken is left alone for a while.

python -m trioarm.examples.recovery              # plays a day in virtual time and prints what became of each payment
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import trio

from trioarm import Discard, Retry, RunContext, SchedulerConfig, Snooze
from trioarm.testing import World, a_world, as_table, in_virtual_time

SETTINGS: Final = Path(__file__).with_name("recovery.toml")
OPENS: Final = 6  # o'clock, UTC


class Busy(Exception):
    """The bank asks to be left alone for five minutes."""


class Bank:
    """The other side: it makes one payment for each key, and refuses an attempt that is older than one it has seen."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.receipts: dict[str, str] = {}
        self.tokens: dict[str, int] = {}
        self.is_reachable = True

    async def pay(self, to: str, *, key: str, token: int) -> str:
        """Pay and return the receipt; for a key that it knows, only return it."""
        self.calls[to] += 1
        await trio.sleep(1)
        if not self.is_reachable:
            raise OSError("no answer from the bank")
        if to == "nobody":
            raise LookupError(to)
        if to == "landlord" and self.calls[to] == 1:
            raise Busy
        if token < self.tokens.setdefault(key, token):
            raise PermissionError("a newer attempt was here")
        self.tokens[key] = token
        if key not in self.receipts:
            self.paid[to] += 1
            self.receipts[key] = f"{to} {self.paid[to]}"
        await trio.sleep(1)  # the receipt is on its way: who dies now does not know that it is paid
        return self.receipts[key]


class Payments:
    """The handler: safe to be called twice, because each call bears the identity of its run."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    async def pay(self, run: RunContext) -> str:
        """Pay what the schedule says."""
        if run.due_at.hour < OPENS:
            raise Snooze(run.due_at.replace(hour=OPENS, minute=0))  # not yet: no attempt is used up
        if run.is_recovery:
            print(f"{run.id}: the node before was lost, perhaps after it had paid")
        to = str(run.args["to"])
        try:
            return await self.bank.pay(to, key=run.id, token=run.token)
        except Busy as error:
            raise Retry("the bank is busy", after_s=300) from error  # a failed attempt, and the next not before that
        except LookupError as error:
            raise Discard(f"there is no account of {to!r}") from error  # trying again would be useless
        # Whatever else is raised fails the attempt: it is tried again as `retry` says, and counts for the breaker.


async def live_a_day(world: World, bank: Bank) -> None:
    """Let 1 December pass: a node dies at ten, and the bank cannot be reached from noon to one."""
    world.set_clock("2026-12-01 00:00")
    node = await world.start({"pay": Payments(bank).pay}, SchedulerConfig.from_file(SETTINGS, environ={}))
    await world.until("2026-12-01 10:00:01.5")  # the insurance is paid, and the receipt has not come
    world.kill(node)
    await world.start(node.handlers, node.config)
    await world.until("2026-12-01 11:58")
    bank.is_reachable = False
    await world.until("2026-12-01 12:58")
    bank.is_reachable = True
    await world.until("2026-12-01 23:00")


async def main() -> None:
    """Play the day and print it."""
    bank = Bank()
    async with a_world() as world:
        await live_a_day(world, bank)
        print(as_table(one for one in await world.decisions() if one.schedule != "parking"))
        parking = Counter(str(one.state) for one in await world.decisions("parking"))
        print("parking:", dict(parking), "in", bank.calls["garage"], "calls; paid:", bank.paid["garage"])


if __name__ == "__main__":
    in_virtual_time(main)
