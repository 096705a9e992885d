"""Hours: every `[[closing]]`, when a partition is expected to open and to close, whoever does it (A4.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from trioarm.arming.model import Hours, Partition, Site
from trioarm.arming.supervision.supervising import schedule_names
from trioarm.config.named import one_of
from trioarm.core.codec import named
from trioarm.core.errors import InvalidTrigger
from trioarm.core.reading import Table, duration, listed, mapping, text
from trioarm.core.schedule import NAME
from trioarm.core.triggers import Weekly
from trioarm.core.triggers.wording import WEEKDAYS

KEY: Final = "closing"
DAYS: Final = (*WEEKDAYS[1:], WEEKDAYS[0])  # as people count them
HOURS_MAX: Final = 1_000
TOLERANCE_S_MAX: Final = 12 * 3600.0
EARLY_S: Final = 1800.0
LATE_S: Final = 900.0


def read_hours(whole: Table, sites: Mapping[str, Site], partitions: Mapping[str, Partition]) -> tuple[Hours, ...]:
    """Read every `[[closing]]`."""
    found: dict[str, Hours] = {}
    for table in _tables(whole):
        hours = _read(table, sites, partitions)
        if hours is not None and hours.name in found:
            table.problems.add(table.at("name"), f'there is another closing "{hours.name}" above: choose another name')
        elif hours is not None:
            found[hours.name] = hours
    return tuple(found.values())


def _tables(whole: Table) -> Iterator[Table]:
    def read(value: object) -> list[object]:
        if isinstance(value, list) and len(value) <= HOURS_MAX:
            return value
        raise ValueError(f"write [[{KEY}]], with two brackets on each side: there can be up to {HOURS_MAX}")

    for index, tree in enumerate(whole.take(KEY, read, [])):
        path = f"{KEY}[{index}]"
        try:
            table = Table(mapping(tree), path, whole.problems)
        except ValueError as error:
            whole.problems.add(path, str(error))
            continue
        name = table.tree.get("name")
        if isinstance(name, str) and NAME.fullmatch(name):
            table.path = f'{KEY} "{name}"'
        yield table
        table.close()


def _read(table: Table, sites: Mapping[str, Site], partitions: Mapping[str, Partition]) -> Hours | None:
    name = table.need("name", _name, 'give it a name, like name = "shop"')
    partition = table.need("partition", one_of(partitions, "partition"), "say what opens and closes")
    days = table.take("days", listed(text), list(DAYS))
    opens = table.take("opens", text, None)
    closes = table.take("closes", text, None)
    early_s = table.take("early", duration(0, TOLERANCE_S_MAX), EARLY_S)
    late_s = table.take("late", duration(60, TOLERANCE_S_MAX), LATE_S)
    if "opens" not in table and "closes" not in table:
        table.problems.add(table.path, 'says neither when it opens nor when it closes: write it like closes = "18:30"')
    if name is None or partition is None:
        return None
    site = sites.get(partitions[partition].site)
    zone = "UTC" if site is None else site.timezone
    opening, closing = (_weekly(table, key, days, at, zone) for key, at in (("opens", opens), ("closes", closes)))
    if opening is None and closing is None:
        return None
    if opening is not None and closing is not None and closing.at <= opening.at:  # over midnight: the day after
        after = [DAYS[(DAYS.index(day) + 1) % len(DAYS)] for day in closing.days]
        closing = Weekly(tuple(after), closing.at, zone)
    return Hours(name=name, partition=partition, opens=opening, closes=closing, early_s=early_s, late_s=late_s)


def _weekly(table: Table, key: str, days: list[str], at: str | None, zone: str) -> Weekly | None:
    if at is None:
        return None
    try:
        return Weekly(tuple(days), (at,), zone)
    except InvalidTrigger as error:
        table.problems.add(table.at(key), str(error))
        return None


def _name(value: object) -> str:
    name = named(KEY)(value)
    if not all(NAME.fullmatch(one) for one in schedule_names(name)):
        raise ValueError(f"{KEY} {name!r} is too long: what looks after it would have more than 63 characters")
    return name
