"""`trioarm notify list` and `test`: by which ways people are told of alerts, and whether those are open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import trio
from cyclopts import Parameter

from trioarm.bootstrap import open_store
from trioarm.cli.columns import Columns
from trioarm.cli.configuration import read_config
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import AsJson, ConfigFile, StoreUrl
from trioarm.cli.planned import current_instant
from trioarm.cli.sheet import here
from trioarm.cli.terminal import Style, complain, remark, say, say_json
from trioarm.config import MEMORY, SchedulerConfig
from trioarm.core.alerts import AlertQuery, AlertState
from trioarm.core.instants import render_duration, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.reading import suggest
from trioarm.engine.clock import SystemClock
from trioarm.engine.ports import ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.notify.channels import make_channel
from trioarm.notify.channels.base import Answer, Delivered, Refused, TryAgain, send_within
from trioarm.notify.ledger import Ledger
from trioarm.notify.message import trial
from trioarm.notify.model import FAILED, ChannelSettings, subject_of

CHECK_S: Final = 60.0  # how often such a clock looks at the wall; nothing waits for it here


def list_(*, json: AsJson = False, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """List the channels: which alerts take them, when each delivered last, and what hinders it.

    For example:

    - `trioarm notify list`
    - `trioarm notify list --json`
    """
    found = read_config(config, {} if store is None else {"scheduler.store": store})
    if not found.notify:
        remark('nobody is told of alerts: write [notify.phone] with kind = "ntfy", for one')
    known, now = _known(found) if found.notify else {}, current_instant()
    columns = Columns("NAME", "KIND", "EVENTS", "SEVERITY", "AFTER", "LAST", "TROUBLE")
    for name, settings in found.notify.items():
        last, trouble = known.get(name, (None, None))
        if json:
            say_json(_as_json(settings, last, trouble))
        else:
            columns.add(_cells(settings, last, trouble, now), Style.BAD if trouble is not None else None)
    columns.flush()
    return Exit.CLEAN


def send_test(
    name: Annotated[str, Parameter(name="NAME", help="Which channel.")],
    /,
    *,
    json: AsJson = False,
    config: ConfigFile = None,
) -> Exit:
    """Send a message that says it is a test, and say in one line what came back: exit code 1 where it did not arrive.

    It is sent at once, whatever quiet hours and limits say, and no node is needed.

    For example:

    - `trioarm notify test phone`
    """
    found = read_config(config)
    if name not in found.notify:
        raise UsageError(f"there is no channel {name!r}{suggest(name, found.notify)}")
    answer = trio.run(_try, found.notify[name])
    said = _in_words(answer)
    if json:
        say_json({"channel": name, "delivered": isinstance(answer, Delivered), "answer": said})
    elif isinstance(answer, Delivered):
        say(f"{name}: {said}")
    else:
        complain([f"{name}: {said}"])
    return Exit.CLEAN if isinstance(answer, Delivered) else Exit.FAILURE


async def _try(settings: ChannelSettings) -> Answer:
    channel = make_channel(settings, SystemClock(CHECK_S))
    return await send_within(channel, trial(settings, current_instant()), settings.timeout_s)


def _in_words(answer: Answer) -> str:
    match answer:
        case Delivered(lacking=""):
            return "delivered"
        case Delivered(lacking=lacking):
            return f"delivered, but not to {lacking}"
        case Refused(why):
            return f"refused: {why}"
        case TryAgain(why):
            return f"not delivered: {why}"


def _known(config: SchedulerConfig) -> Mapping[str, tuple[int | None, str | None]]:
    """Return when each channel delivered last, and what is complained of it, as far as there is a store."""
    if config.scheduler.store == MEMORY or not config.store_path.exists():
        return {}
    return trio.run(_look, config)


async def _look(config: SchedulerConfig) -> Mapping[str, tuple[int | None, str | None]]:
    async with open_store(config) as container:
        ledger, alerts = Ledger(container.get(ScheduleRepository)), container.get(Scheduler).alerts
        unresolved = frozenset({AlertState.OPEN, AlertState.ACKNOWLEDGED})
        known: dict[str, tuple[int | None, str | None]] = {}
        for name in config.notify:
            sent = await ledger.sent(name)
            found = await alerts.find(AlertQuery(subject=subject_of(name), states=unresolved))
            texts = [one.alert.text for one in found.rows if one.alert is not None and one.alert.kind == FAILED]
            known[name] = sent[-1] if sent else None, texts[0] if texts else None
        return known


def _cells(settings: ChannelSettings, last: int | None, trouble: str | None, now: int) -> tuple[str, ...]:
    events = ", ".join(settings.events) or "all"
    after = render_duration(settings.after_s) if settings.after_s else "at once"
    told = "-" if last is None else here(last, now)
    return settings.name, settings.way.kind, events, str(settings.severity), after, told, trouble or ""


def _as_json(settings: ChannelSettings, last: int | None, trouble: str | None) -> dict[str, Json]:
    return {
        "name": settings.name,
        "kind": settings.way.kind,
        "events": [*settings.events],
        "subjects": [*settings.subjects],
        "severity": settings.severity.value,
        "after_s": settings.after_s,
        "last_at": None if last is None else render_instant(last),
        "trouble": trouble,
    }
