"""`trioarm clock show` and `trust`: what is known of the wall clock, and a person's word that it is right (S3.3)."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from trioarm.bootstrap import open_store
from trioarm.cli.exits import Exit
from trioarm.cli.options import AsJson, Author, ConfigFile, StoreUrl, author_of
from trioarm.cli.planned import current_instant
from trioarm.cli.schedule_changes import Note
from trioarm.cli.sheet import here, say_sheet
from trioarm.cli.stored import stored_config, with_store
from trioarm.cli.terminal import remark, say, say_json
from trioarm.config import SchedulerConfig
from trioarm.container import Container
from trioarm.core.alerts import Alert
from trioarm.core.changes import Verdict
from trioarm.core.errors import RevisionConflict
from trioarm.core.instants import as_datetime, render_instant
from trioarm.core.jsonable import Json
from trioarm.engine.kernel_clock import is_synchronised
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.engine.timekeeping import OPEN, TRUST, saying_that_it_is_right
from trioarm.links.zone_data import zone_data_version


def show(*, json: AsJson = False, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """Show what the wall clock shows, whether somebody keeps it right, and whether the node believes it.

    For example:

    - `trioarm clock show`
    - `trioarm clock show --json`
    """
    found = stored_config(config, store)
    written_at, alert = trio.run(_kept, found) if found.store_path.exists() else (None, None)
    now = current_instant()
    if json:
        say_json(_as_json(now, written_at, alert))
    else:
        say_sheet("doubted" if alert is not None else "believed", _entries(now, written_at, alert))
    return Exit.CLEAN if alert is None else Exit.FAILURE


async def _kept(config: SchedulerConfig) -> tuple[int | None, Alert | None]:
    """Return when a node last wrote to the store, and what it says of the clock while it does not believe it."""
    async with open_store(config) as container:
        return container.get(ScheduleRepository).written_at, await _complaint(container)


async def _complaint(container: Container) -> Alert | None:
    page = await container.get(Scheduler).alerts.find(OPEN)
    return next((stored.alert for stored in page.rows if stored.alert is not None), None)


def _entries(now: int, written_at: int | None, alert: Alert | None) -> Iterator[tuple[str, str]]:
    if alert is not None:
        yield "why", alert.text
        yield "advice", alert.advice
        yield "since", here(alert.raised_at, now)
    yield "shows", f"{render_instant(now)}, here {as_datetime(now).astimezone().isoformat(' ', 'seconds')}"
    yield "kernel", "calls it synchronised" if is_synchronised() else "does not call it synchronised"
    yield "zones", f"tz database {zone_data_version()}"
    yield "written", "nothing yet" if written_at is None else here(written_at, now)


def _as_json(now: int, written_at: int | None, alert: Alert | None) -> dict[str, Json]:
    return {
        "at": render_instant(now),
        "trusted": alert is None,
        "reason": None if alert is None else alert.text,
        "synchronised": is_synchronised(),
        "tzdata": zone_data_version(),
        "written_at": None if written_at is None else render_instant(written_at),
    }


def trust(*, note: Note = "", author: Author = None, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """Say that the clock is right, though it made a leap of more than a day, or is behind what was written.

    A node that does not believe its clock plans nothing new until the clock is back on its course, or somebody who
    should know calls it right: the kernel, after a minute, or you.

    For example:

    - `trioarm clock trust --note "compared with my watch"`
    """
    by = author_of(author)

    async def work(container: Container) -> Exit:
        if await _complaint(container) is None:
            remark("no node doubts the clock: there is nothing to do")
            return Exit.CLEAN
        repository = container.get(ScheduleRepository)
        said = await repository.get_document(*TRUST)
        change = saying_that_it_is_right(0 if said is None else said.version, by, note, current_instant())
        if await repository.commit([change]) != [Verdict.DONE]:
            raise RevisionConflict("somebody else said so at the same moment: look at trioarm clock show")
        say("the clock is taken for right")
        return Exit.CLEAN

    return with_store(config, store, work)
