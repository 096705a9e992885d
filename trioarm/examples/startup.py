"""Starting in order: what handlers need comes up first, a migration runs once, and only then does work begin.

python -m trioarm.examples.startup               # keeps startup.db and orders.db in this folder
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import trio

from trioarm import Every, RunContext, Schedule, SchedulerConfig, open_scheduler

ORDERS = Path("orders.db")
MIGRATIONS = ("CREATE TABLE reminders (run TEXT PRIMARY KEY)",)


class Mail:
    """What a handler needs: a connection that takes a moment to come up, and lives as long as the program."""

    def __init__(self) -> None:
        self.sent = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect, say that it is ready, and keep the connection."""
        await trio.sleep(0.2)  # the other side takes its time
        print("mail: connected")
        task_status.started()
        await trio.sleep_forever()

    async def remind(self, run: RunContext) -> None:
        """Note and send a reminder: the table is there, and so is the connection."""
        with closing(sqlite3.connect(ORDERS)) as orders, orders:
            orders.execute("INSERT OR IGNORE INTO reminders VALUES (?)", (run.id,))
        print("sent:", run.schedule)
        self.sent.set()


def migrate(path: Path) -> int:
    """Bring a database of the program's own up to date, in one transaction, and return how many steps that took."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")  # of several programs that start together, one migrates and the others wait
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        for statement in MIGRATIONS[version:]:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")
    return len(MIGRATIONS) - version


async def main(mail: Mail) -> None:
    """Start everything in order, and stop in the other."""
    config = SchedulerConfig.from_env(overrides={"scheduler.auto_start": False})
    async with trio.open_nursery() as nursery:
        await nursery.start(mail.run)  # returns once it is connected
        async with open_scheduler("sqlite:///startup.db", handlers={"remind": mail.remind}, config=config) as scheduler:
            await scheduler.schedules.put(Schedule("reminder", Every(1), handler="remind"))
            print("migrated:", await trio.to_thread.run_sync(migrate, ORDERS), "steps")
            scheduler.start()  # up to here nothing was decided, also of what came due while the program was down
            await mail.sent.wait()
        nursery.cancel_scope.cancel()  # handlers have ended: now what they needed may go, too


if __name__ == "__main__":
    trio.run(main, Mail())
