"""Developing: handlers and schedules on a store that forgets everything, with a line for whatever is decided; and the
same in a week of virtual time, first foreseen, then played in a second.

python -m trioarm.examples.development           # two real seconds on memory://
python -m trioarm.examples.development week      # a week in virtual time
"""

from __future__ import annotations

import logging
import sys
from typing import Final

import trio

from trioarm import Cron, Every, RunContext, Schedule, Scheduler, SchedulerConfig, Weekly, open_scheduler
from trioarm.testing import a_world, as_table, in_virtual_time

PRAGUE: Final = "Europe/Prague"
CONFIG: Final = SchedulerConfig.from_env({}, overrides={"executor.retry_delay_base": "100ms"})  # nothing is read


async def water(run: RunContext) -> None:
    """Water the garden: the first attempt finds the tap frozen."""
    logging.getLogger("garden").info("%s, attempt %d", run.id, run.attempt)
    if run.attempt == 1:
        raise OSError("the tap is frozen")


HANDLERS: Final = {"water": water}


async def put_schedules(scheduler: Scheduler) -> None:
    """Put what the program schedules: into a real node, or into one of a test."""
    await scheduler.schedules.put(Schedule("garden", Weekly(["sat", "sun"], ["02:30"], PRAGUE), handler="water"))
    await scheduler.schedules.put(Schedule("balcony", Cron("0 20 * * mon-fri", PRAGUE), handler="water"))


async def try_out() -> None:
    """Run for two seconds: a schedule that nobody has to wait for, and one that is fired by hand."""
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)-5s %(name)s: %(message)s")  # trioarm.* and the garden
    async with open_scheduler("memory://", handlers=HANDLERS, config=CONFIG) as scheduler:
        await put_schedules(scheduler)
        await scheduler.schedules.put(Schedule("now-and-then", Every(1), handler="water"))
        fired = await scheduler.runs.fire("garden")
        ended = await scheduler.runs.wait(fired.id)
        print(f"{ended.id}: {ended.state} after {ended.attempt} attempts")
        await trio.sleep(2)


async def play_a_week() -> None:
    """Print what will happen, let the week pass in which clocks go back, and print what did."""
    async with a_world(start_at="2026-10-22 00:00", zone=PRAGUE) as world:
        await world.start(HANDLERS, CONFIG)
        await put_schedules(world.scheduler)
        for one in await world.scheduler.preview(days=7):
            print(f"{one.local_at:%a %d %b %H:%M %z}  {one.schedule.name}")
        await world.until("2026-10-29 00:00")
        print(as_table(await world.decisions()))


if __name__ == "__main__":
    if sys.argv[1:] == ["week"]:
        in_virtual_time(play_a_week)
    else:
        trio.run(try_out)
