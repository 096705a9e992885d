"""`trioarm exceptions list`, `add` and `remove`: what is otherwise than the timetable for some days (A4.3)."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Parameter

from trioarm.arming.exceptions.days import SCHEDULE, SITE, TAG
from trioarm.arming.exceptions.kept import Exceptions, in_words, what
from trioarm.arming.exceptions.rules import read_range, read_time
from trioarm.arming.installation import Installation
from trioarm.arming.model import Effect, ExceptionRule, InvalidRequest, KeptException, Target
from trioarm.cli.columns import Columns
from trioarm.cli.each import each
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import PLAINLY, AsJson, Asked, ConfigFile, StoreUrl
from trioarm.cli.planned import current_instant
from trioarm.cli.schedule_changes import Note
from trioarm.cli.sheet import here
from trioarm.cli.stored import with_store
from trioarm.cli.terminal import remark, say, say_json
from trioarm.container import Container
from trioarm.core.instants import render_instant
from trioarm.core.jsonable import Json
from trioarm.core.reading import show, suggest
from trioarm.live import LiveConfig

WORDS: Final = {"skip": Effect.SKIP, "vacation": Effect.VACATION}
TREATED: Final = {"holiday": Effect.HOLIDAY, "workday": Effect.WORKDAY}
LATER: Final = (
    "what is stored is not what the configuration declares, so it counts from when the node that runs notices, within "
    "a second, or the next one starts"
)


def list_(*, json: AsJson = False, config: ConfigFile = None, store: StoreUrl = None) -> Exit:
    """List exceptions that hold, in the order in which they were said.

    For example:

    - `trioarm exceptions list`
    - `trioarm exceptions list --json`
    """

    async def work(container: Container) -> Exit:
        columns, now = Columns("NO", "ON", "FROM", "TO", "WHAT", "BY", "SAID", "NOTE"), current_instant()
        held = [one for one in (await _exceptions(container).read()).swept(now).kept if one.holds]
        for one in held:
            if json:
                say_json(as_json(one))
            else:
                columns.add(_cells(one, now))
        columns.flush()
        if not held:
            remark("nothing is otherwise than the timetable: `trioarm exceptions add --help` says how it would be")
        return Exit.CLEAN

    return with_store(config, store, work)


def _cells(kept: KeptException, now: int) -> tuple[str, ...]:
    rule = kept.rule
    return (
        str(kept.number),
        rule.on,
        rule.begins,
        rule.ends,
        what(rule),
        rule.author,
        "in the file" if kept.declared else here(kept.said_at, now),
        rule.note,
    )


def as_json(kept: KeptException) -> dict[str, Json]:
    """Return an exception as `exceptions list --json` shows it."""
    rule = kept.rule
    return {
        "number": kept.number,
        "on": rule.on,
        "begins": rule.begins,
        "ends": rule.ends,
        "effect": rule.effect.value,
        "at": rule.at,
        "target": None if rule.target is None else rule.target.value,
        "author": rule.author,
        "note": rule.note,
        "said_at": render_instant(kept.said_at),
        "since_at": None if kept.since_at is None else render_instant(kept.since_at),
        "declared": kept.declared,
    }


def add(
    word: Annotated[
        str | None, Parameter(name="WHAT", help="skip, or vacation; otherwise say what is different instead.")
    ] = None,
    /,
    *,
    on: Annotated[str, Parameter(help="A local date, or two like 2026-12-24..2026-12-27, both included.")],
    site: Annotated[str | None, Parameter(help="Of all schedules of this site.")] = None,
    tag: Annotated[str | None, Parameter(help="Of all schedules with this tag.")] = None,
    schedule: Annotated[str | None, Parameter(help="Of this schedule.")] = None,
    at: Annotated[str | None, Parameter(help="They come at this local time instead, such as 20:00.")] = None,
    target: Annotated[str | None, Parameter(help="They make this of their partitions, such as armed_away.")] = None,
    treat_as: Annotated[str | None, Parameter(help="The days are taken for holidays or workdays.")] = None,
    note: Note = "",
    asked: Asked = PLAINLY,
) -> Exit:
    """Let something be otherwise for some days. Nothing that is over is changed, and it ends by itself.

    A vacation arms everything of a site when it begins, and nothing of its schedules is done until it is over.

    For example:

    - `trioarm exceptions add skip --on 2026-12-24 --site home --note guests`
    - `trioarm exceptions add --on 2026-12-24..2026-12-27 --tag evening --at 23:30`
    - `trioarm exceptions add --on 2026-12-31 --schedule weeknight --target armed_away`
    - `trioarm exceptions add --on 2026-12-28..2026-12-30 --site home --treat-as holiday`
    - `trioarm exceptions add vacation --on 2027-03-20T10:00..2027-04-02T18:00 --site home`
    """
    given = [prefix + name for prefix, name in ((SITE, site), (TAG, tag), (SCHEDULE, schedule)) if name is not None]
    if len(given) != 1:
        raise UsageError(f"{len(given)} of --site, --tag and --schedule are given: it is one of them that is concerned")
    try:
        begins, ends = read_range(on)
        rule = ExceptionRule(
            on=given[0],
            begins=begins,
            ends=ends,
            effect=_effect(word, treat_as),
            at=None if at is None else read_time(at),
            target=None if target is None else _target(target),
            author=asked.by,
            note=note,
        )
    except InvalidRequest as error:
        raise UsageError(str(error)) from None

    async def work(container: Container) -> Exit:
        kept, is_stored = await container.get(LiveConfig).except_(rule)
        if asked.json:
            say_json(as_json(kept))
        else:
            say(f"exception {kept.number}: {in_words(rule)}")
        if not is_stored:
            remark(LATER)
        return Exit.CLEAN

    return with_store(asked.config, asked.store, work, make=True)


def _effect(word: str | None, treat_as: str | None) -> Effect:
    if word is not None and treat_as is not None:
        raise UsageError(f"{word} and --treat-as are given: it is one of them")
    for said, known, option in ((word, WORDS, ""), (treat_as, TREATED, "--treat-as: ")):
        if said is not None and said not in known:
            raise UsageError(f"{option}{show(said)} is neither {' nor '.join(known)}{suggest(said, known)}")
    return WORDS[word] if word is not None else Effect.REPLACE if treat_as is None else TREATED[treat_as]


def _target(word: str) -> Target:
    if word not in set(Target):
        raise UsageError(f"--target: {show(word)} is none; there is {', '.join(Target)}")
    return Target(word)


def remove(
    *numbers: Annotated[str, Parameter(name="NO", help="Which, by number.")],
    asked: Asked = PLAINLY,
) -> Exit:
    """Take exceptions back. What one has moved or left out by now stays so; the rest is as ever again.

    For example:

    - `trioarm exceptions remove 3`
    """
    if not numbers:
        raise UsageError("name an exception by its number: `trioarm exceptions list` shows what there is")

    async def work(container: Container) -> Exit:
        async def take_back(number: str) -> str:
            if not number.isdecimal():
                raise InvalidRequest(f"{show(number)} is no number: `trioarm exceptions list` shows what there is")
            kept, is_stored = await container.get(LiveConfig).take_back(int(number[:9]), by=asked.by)
            if not is_stored:
                remark(LATER)
            return f"taken back: {in_words(kept.rule)}"

        return await each(numbers, take_back, json=asked.json, key="number")

    return with_store(asked.config, asked.store, work)


def _exceptions(container: Container) -> Exceptions:
    return container.get(Installation).exceptions
