"""Conditions: every `[condition.NAME]`, one reader for each kind, and on which a schedule depends (A4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trioarm.arming.conditions.settings import (
    LIMIT_S,
    ON_ONE_MAX,
    USUAL_S,
    CommandCondition,
    Condition,
    Depends,
    HomeAssistantCondition,
    MqttCondition,
    OnUnknown,
    PartitionCondition,
)
from trioarm.arming.model import HomeAssistantInstance, Partition, Reported, Target
from trioarm.arming.panels.homeassistant_entity import ENTITY
from trioarm.config.named import one_of, read_each
from trioarm.config.panel_keys import STATES_MAX, WORD_MAX, path
from trioarm.core.codec import named
from trioarm.core.reading import Reader, Table, duration, listed, member, show, suggest, text
from trioarm.links.mqtt import check_topic
from trioarm.links.mqtt.settings import MqttBroker

SECTION: Final = "condition"
CONDITIONS_MAX: Final = 100  # each may keep a topic, or an entity, under watch
KINDS: Final = ("partition", "command", "mqtt", "homeassistant")
MAX_AGE_S_MAX: Final = 30 * 86400.0
UNKNOWN_STATES: Final = frozenset({Reported.UNKNOWN, Reported.UNAVAILABLE})


def read_conditions(
    whole: Table,
    partitions: Mapping[str, Partition],
    instances: Mapping[str, HomeAssistantInstance],
    brokers: Mapping[str, MqttBroker],
) -> dict[str, Condition]:
    """Read every `[condition.NAME]`.

    Args:
        whole: the file.
        partitions: those that are configured, by name.
        instances: likewise.
        brokers: likewise.
    """

    def read(name: str, table: Table) -> Condition:
        kind = table.need("kind", _kind, f'say whom to ask, like kind = "partition": there is {", ".join(KINDS)}')
        match kind:
            case "partition":
                return _read_partition(name, table, partitions)
            case "command":
                return _read_command(name, table)
            case "mqtt":
                return _read_mqtt(name, table, brokers)
            case "homeassistant":
                return _read_home(name, table, instances)
        table.knows(*table.tree)  # whose keys are not known
        return CommandCondition(name=name, run=("true",))  # stands in while there are problems

    found = read_each(whole, SECTION, named(SECTION), read)
    if len(found) > CONDITIONS_MAX:
        whole.problems.add(SECTION, f"{len(found)} conditions are too many: at most {CONDITIONS_MAX}")
    return found


def _kind(value: object) -> str:
    kind = text(value)
    if kind in KINDS:
        return kind
    raise ValueError(f"{show(kind)} is no kind of condition{suggest(kind, KINDS)}")


def _read_partition(name: str, table: Table, partitions: Mapping[str, Partition]) -> PartitionCondition:
    partition = table.need("partition", one_of(partitions, "partition"), 'say whose panel, like partition = "house"')
    yes = table.need("yes", _states, 'say in which states it holds, like yes = ["armed_away", "armed_vacation"]')
    return PartitionCondition(
        name=name, partition=partition or "", yes=yes or frozenset(), timeout_s=_read_timeout(table)
    )


def _read_command(name: str, table: Table) -> CommandCondition:
    run = table.need("run", _arguments, 'name the program, like run = ["/usr/local/bin/is-anybody-home"]')
    return CommandCondition(name=name, run=run or ("true",), timeout_s=_read_timeout(table))


def _read_mqtt(name: str, table: Table, brokers: Mapping[str, MqttBroker]) -> MqttCondition:
    hint = 'say at which broker it is, like broker = "home", which [mqtt.home] describes'
    broker = table.need("broker", one_of(brokers, "broker"), hint)
    topic = table.need("topic", _topic, 'say where it is published, like topic = "presence/house"')
    yes, no = _read_words(table, "on")
    return MqttCondition(
        name=name,
        broker=broker or "",
        topic=topic or "topic",
        path=table.take("path", path, None),
        yes=yes,
        no=no,
        max_age_s=table.take("max_age", duration(1, MAX_AGE_S_MAX), None),
        timeout_s=_read_timeout(table),
    )


def _read_home(name: str, table: Table, instances: Mapping[str, HomeAssistantInstance]) -> HomeAssistantCondition:
    instance = table.need("instance", one_of(instances, "homeassistant"), 'name one, like instance = "home"')
    entity = table.need("entity", _entity, 'name it, like entity = "group.family"')
    yes, no = _read_words(table, "home")
    return HomeAssistantCondition(
        name=name,
        instance=instance or "",
        entity=entity or "group.family",
        yes=yes,
        no=no,
        timeout_s=_read_timeout(table),
    )


def _read_timeout(table: Table) -> float:
    return table.take("timeout", duration(1, LIMIT_S), USUAL_S)


def _read_words(table: Table, sample: str) -> tuple[frozenset[str], frozenset[str]]:
    """Read which words mean yes, and which no: both have to be said, any other means that nobody can tell."""
    yes = table.need("yes", _words, f'say for which words it holds, like yes = ["{sample}"]') or frozenset()
    no = table.need("no", _words, f'say for which words it does not, like no = ["{_OPPOSITE[sample]}"]') or frozenset()
    for word in sorted(yes & no):
        table.problems.add(table.at("no"), f"{show(word)} means yes, too: a word means one of the two")
    return yes, no


_OPPOSITE: Final = {"on": "off", "home": "not_home"}


def _words(value: object) -> frozenset[str]:
    found = listed(text)(value)
    if not 0 < len(found) <= STATES_MAX:
        raise ValueError(f"{len(found)} words: there must be 1 to {STATES_MAX}")
    for word in found:
        if not 0 < len(word) <= WORD_MAX:
            raise ValueError(f"{show(word)} is no word: it has 1 to {WORD_MAX} characters")
    return frozenset(found)


def _states(value: object) -> frozenset[Reported]:
    found = frozenset(listed(member(Reported))(value))
    if not found:
        raise ValueError('names no state: write it like ["armed_away", "armed_vacation"]')
    for state in sorted(found & UNKNOWN_STATES):
        raise ValueError(f"{show(state.value)} is what is reported when nobody can tell: see on_unknown of schedules")
    return found


def _arguments(value: object) -> tuple[str, ...]:
    found = tuple(listed(text)(value))
    if not found or not found[0]:
        raise ValueError('names no program: write it like ["/usr/local/bin/is-anybody-home"]')
    return found


def _topic(value: object) -> str:
    return check_topic(text(value))


def _entity(value: object) -> str:
    entity = text(value)
    if ENTITY.fullmatch(entity):
        return entity
    raise ValueError(f'{show(entity)} is no entity: those are like "group.family" or "binary_sensor.windows"')


# What a schedule depends on


def read_depends(table: Table, conditions: Mapping[str, Condition], target: Target | None) -> Depends | None:
    """Read on which conditions a schedule depends; None for none.

    Args:
        table: of the schedule.
        conditions: those that are configured, by name.
        target: of the schedule; None where it is wrong.
    """
    only_if = _read_names(table, "only_if", conditions)
    not_if = _read_names(table, "not_if", conditions)
    on_unknown = table.take("on_unknown", member(OnUnknown), None)
    otherwise = table.take("otherwise", member(Target), None)
    add, at = table.problems.add, table.at
    if "only_if" not in table and "not_if" not in table:
        for key in ("on_unknown", "otherwise"):
            if key in table:
                add(at(key), "is of no use without only_if or not_if")
        return None
    for name in sorted({*only_if} & {*not_if}):
        add(at("not_if"), f"{name} is in only_if, too: both together are never so")
    if len({*only_if, *not_if}) > ON_ONE_MAX:
        add(at("only_if"), f"{len({*only_if, *not_if})} conditions are too many for one schedule: at most {ON_ONE_MAX}")
    _check_otherwise(table, target, otherwise)
    return Depends(only_if=only_if, not_if=not_if, on_unknown=on_unknown, otherwise=otherwise)


def _check_otherwise(table: Table, target: Target | None, otherwise: Target | None) -> None:
    add, at = table.problems.add, table.at("otherwise")
    if otherwise is None:
        return
    if otherwise is target:
        add(at, f'"{otherwise}" is the target, too: leave out the conditions, or name another')
    elif otherwise is Target.DISARMED:
        add(at, "a schedule that arms does not disarm instead: make that a schedule of its own")
    elif target is Target.DISARMED:
        add(at, "a schedule that disarms does not arm instead: make that a schedule of its own")


def _read_names(table: Table, key: str, conditions: Mapping[str, Condition]) -> tuple[str, ...]:
    names = table.take(key, _names(conditions), ())
    for name in sorted({name for name in names if names.count(name) > 1}):
        table.problems.add(table.at(key), f"{name} is named twice")
    return tuple(dict.fromkeys(names))


def _names(conditions: Mapping[str, Condition]) -> Reader[tuple[str, ...]]:
    """Return a reader of names of conditions, of which one may stand alone."""
    one = one_of(conditions, SECTION)

    def read_names(value: object) -> tuple[str, ...]:
        found = (one(value),) if isinstance(value, str) else tuple(listed(one)(value))
        if not found:
            raise ValueError("names no condition: leave it out")
        return found

    return read_names
