"""Ending well: on SIGTERM nothing new begins and runs may end; what is cut short has saved how far it came, and goes on
from there at the next start. A second signal does not wait. The exit code says which of both it was.

python -m trioarm.examples.shutdown              # keeps shutdown.db in this folder
"""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from typing import Final

import trio

from trioarm import Every, RunContext, Schedule, SchedulerBootstrap, SchedulerConfig, Snooze

PAGES: Final = 16
PAGE_S: Final = 0.2
PAGE_S_MAX: Final = 10.5  # on a bad day


async def copy(run: RunContext) -> None:
    """Copy page after page. Whatever ends an attempt, the next one goes on where it was."""
    done = run.last_progress if isinstance(run.last_progress, int) else 0
    print(f"attempt {run.attempt} begins at page {done}", flush=True)
    while done < PAGES:
        if run.deadline_s < PAGE_S_MAX:
            raise Snooze(datetime.now(UTC))  # go on in a new attempt, rather than be timed out and count as failed
        await trio.sleep(PAGE_S)  # a page: this is where a cancellation strikes
        done += 1
        print("page", done, flush=True)
        run.progress(done)  # kept with the outcome, whatever that is; once a second before, for the case of a crash


async def heed_signals(node: SchedulerBootstrap) -> None:
    """Begin to stop at the first SIGTERM or Ctrl+C, and stop at once at the second."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        await anext(signals)
        print("stopping: runs may end", flush=True)
        node.request_stop()
        await anext(signals)
        print("stopping at once", flush=True)
        node.cancel()


async def main() -> int:
    """Be a node until a signal comes, and return the exit code."""
    config = SchedulerConfig.from_env(overrides={"scheduler.store": "sqlite:///shutdown.db"})
    node = SchedulerBootstrap(config, {"copy": copy})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(heed_signals, node)
        async with trio.open_nursery() as inner:
            scheduler = await node.initialize(inner)
            once = Schedule("copy", Every(1), handler="copy", max_runs=1, timeout_s=12)
            await scheduler.schedules.put(once)
        nursery.cancel_scope.cancel()  # the node has ended: nobody is left to stop
    return 0 if node.drained else 3  # as `trioarm run` ends


if __name__ == "__main__":
    sys.exit(trio.run(main))
