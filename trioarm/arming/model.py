"""What arming speaks of: sites, partitions, targets, what panels report, and schedules that arm (A1)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from trioarm.arming.conditions.settings import Condition, Depends
from trioarm.arming.panel_urls import instance_url, panel_url
from trioarm.arming.words import Reported as Reported
from trioarm.arming.words import Target as Target
from trioarm.core.errors import ConfigurationError, TrioarmError
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Weekly
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.links.secrets import SecretRef

HANDLER: Final = "arm"  # the registered name of the handler that carries out every arming schedule
WARN: Final = "warn"  # and of the one that announces it
WATCH: Final = "trioarm.watch"  # of the one that looks at partitions between commands
REPORT: Final = "trioarm.report"  # of the one that tells what a day or a week was like
REMIND: Final = "trioarm.holds"  # of the one that reminds people of what they hold
SUPERVISE: Final = "trioarm.supervise"  # and of the one that tells of partitions that nobody closed


class UnknownPartition(TrioarmError, LookupError):
    """There is no partition, or site, of that name."""


class InvalidRequest(TrioarmError, ValueError):
    """What a person asks for cannot be meant. The caller is at fault."""


class OnDrift(StrEnum):
    """What becomes of a partition that does not stay what it was confirmed to be (A3.7)."""

    ALERT = "alert"  # people are told
    REASSERT = "reassert"  # it is commanded again, where the panel itself restarted; else people are told
    IGNORE = "ignore"  # it is in the audit, and nobody is told


@attrs.frozen(slots=True)
class Site:
    """A place: where local time comes from, and from where the sun is seen.

    Args:
        name: as configured.
        timezone: IANA name.
        latitude: degrees north; None where nobody said.
        longitude: degrees east; None where nobody said.
    """

    name: str
    timezone: str
    latitude: float | None = None
    longitude: float | None = None


@attrs.frozen(slots=True, kw_only=True)
class VirtualPanel:
    """Settings of the built-in panel.

    Args:
        exit_delay_s: how long it reports `arming` before it is armed.
        entry_delay_s: how long it reports `pending` before it is triggered, once an armed zone opened.
        open_zones: detection points that stand open from the start; arming is refused while one does.
        code: what it wants to hear with each command; None for no code.
    """

    exit_delay_s: float = 30.0
    entry_delay_s: float = 30.0
    open_zones: tuple[str, ...] = ()
    code: SecretRef | None = None


@attrs.frozen(slots=True, kw_only=True)
class CommandPanel:
    """Settings of a panel that a program sets and reads back.

    Args:
        set: the program that sets it, and its arguments; no shell touches them.
        read: the program that says what it is, likewise.
        timeout_s: how long either of them may take.
        exit_delay_s: how long the panel may be on its way before it is armed.
        code: what the program that sets it is handed with each command; None for no code.

    Raises:
        ConfigurationError: no program is named.
    """

    set: tuple[str, ...]
    read: tuple[str, ...]
    timeout_s: float = 20.0
    exit_delay_s: float = 60.0
    code: SecretRef | None = None

    def __attrs_post_init__(self) -> None:
        if not all(argv and argv[0] for argv in (self.set, self.read)):
            raise ConfigurationError(("a panel of kind command needs a program that sets it and one that reads it",))


@attrs.frozen(slots=True, kw_only=True)
class HttpPanel:
    """Settings of a panel on the web: a webhook that takes commands, and an address its state is read back from.

    In both URLs `{address}` stands for the partition. Paths lead through its answer, key by key or by the number of an
    item, with dots between them; None for what it does not say.

    Args:
        set_url: commands are posted to it.
        read_url: the state is fetched from it, as JSON.
        secret: commands are signed with it; None for no signature.
        token: sent as bearer token with commands and reads; None for none.
        state_path: where the state is.
        changed_by_path: where it says who made it so.
        since_path: where it says since when.
        started_path: where it says when the panel itself was started.
        open_zones_path: where the names of open zones are.
        states: what its own words for a state mean; the words of `Reported` mean themselves unless said otherwise.
        timeout_s: how long it may take to answer.
        exit_delay_s: how long it may report `arming` before it is armed.
        code: what is sent with each command; None for no code.

    Raises:
        ConfigurationError: a URL is none of the web, or holds a password.
    """

    set_url: str
    read_url: str
    secret: SecretRef | None = None
    token: SecretRef | None = None
    state_path: str = "state"
    changed_by_path: str | None = None
    since_path: str | None = None
    started_path: str | None = None
    open_zones_path: str | None = None
    states: Mapping[str, Reported] = attrs.Factory(dict)
    timeout_s: float = 10.0
    exit_delay_s: float = 60.0
    code: SecretRef | None = None

    def __attrs_post_init__(self) -> None:
        for key, url in (("set", self.set_url), ("read", self.read_url)):
            try:
                panel_url(url)
            except ValueError as error:
                raise ConfigurationError((f"{key}: {error}",)) from None


@attrs.frozen(slots=True, kw_only=True)
class HomeAssistantInstance:
    """Settings of an instance of Home Assistant, which several panels may be reached through.

    Args:
        name: as configured.
        url: http or https, as a browser knows it.
        token: where the long-lived access token is.
        ca_file: certificates that sign its own, in PEM format; None for those that the system trusts.
        timeout_s: how long it may take to answer.

    Raises:
        ConfigurationError: the URL is none of the web, or holds a password.
    """

    name: str
    url: str
    token: SecretRef
    ca_file: str | None = None
    timeout_s: float = 10.0

    def __attrs_post_init__(self) -> None:
        try:
            instance_url(self.url)
        except ValueError as error:
            raise ConfigurationError((f"url: {error}",)) from None


@attrs.frozen(slots=True, kw_only=True)
class HomeAssistantPanel:
    """Settings of an alarm panel that is an entity of Home Assistant.

    Args:
        instance: where the entity is.
        entity: its id, such as `alarm_control_panel.house`.
        forgets: whether the panel is in Home Assistant alone, and forgets what it was when that is started anew.
        exit_delay_s: how long it may report `arming` before it is armed.
        code: what is sent with each command; None for no code.
    """

    instance: HomeAssistantInstance
    entity: str
    forgets: bool = False
    exit_delay_s: float = 60.0
    code: SecretRef | None = None


@attrs.frozen(slots=True, kw_only=True)
class MqttPanel:
    """Settings of a panel at a broker. Paths lead through its JSON as those of `HttpPanel` do.

    Args:
        broker: where it is.
        state_topic: where it says what it is; the message is the state where there is no `state_path`.
        command_topic: where it is told what to become.
        payloads: what it is told, for each target that it knows.
        command_template: what is sent; `{action}` stands for the payload, `{code}` for the code, `{address}` for the
            partition.
        states: what its own words for a state mean; the words of `Reported` mean themselves unless said otherwise.
        state_path: where the state is, in JSON.
        changed_by_path: where it says who made it so.
        since_path: where it says since when.
        started_path: where it says when the panel itself was started.
        open_zones_path: where the names of open zones are.
        availability_topic: where it says that it is there; None where it does not.
        available: what it says there then; everything else means that it is not.
        event_topic: where it says, as Alarmo does, why it did not obey; None where it does not.
        pending_is_exit_delay: whether `pending` is its exit delay, too (A6.2).
        timeout_s: how long the broker may take to acknowledge a command, and the panel to say what it is.
        exit_delay_s: how long it may be on its way before it is armed.
        code: what is sent with each command; None for no code.
    """

    broker: MqttBroker
    state_topic: str
    command_topic: str
    payloads: Mapping[Target, str]
    command_template: str = "{action}"
    states: Mapping[str, Reported] = attrs.Factory(dict)
    state_path: str | None = None
    changed_by_path: str | None = None
    since_path: str | None = None
    started_path: str | None = None
    open_zones_path: str | None = None
    availability_topic: str | None = None
    available: str = "online"
    event_topic: str | None = None
    pending_is_exit_delay: bool = False
    timeout_s: float = 10.0
    exit_delay_s: float = 60.0
    code: SecretRef | None = None


PanelSettings: TypeAlias = VirtualPanel | CommandPanel | HttpPanel | HomeAssistantPanel | MqttPanel


@attrs.frozen(slots=True, kw_only=True)
class Partition:
    """The smallest thing armed on its own (A1.2).

    Args:
        name: as configured.
        site: name of its site.
        panel: settings of its driver.
        address: which partition of the panel; for a panel that has only one, empty.
        allow_disarm: whether schedules may disarm it (A2.4).
        min_gap_s: least time between two commands, in seconds.
        confirm_s: how long after the exit delay the panel may take to report the target, in seconds.
        code: what is sent with each command; None for the code the panel's settings name, if any.
        drift: what becomes of it when it does not stay what a schedule made it.
    """

    name: str
    site: str
    panel: PanelSettings
    address: str = ""
    allow_disarm: bool = False
    min_gap_s: float = 2.0
    confirm_s: float = 30.0
    code: SecretRef | None = None
    drift: OnDrift = OnDrift.ALERT


@attrs.frozen(slots=True, kw_only=True)
class Hours:
    """When a partition is expected to open and to close, whoever does it: what supervision goes by (A4.6).

    Args:
        name: as configured.
        partition: which.
        opens: when it opens; None where nobody expects that.
        closes: likewise.
        early_s: how long before that it is on time already, in seconds.
        late_s: how long after that it is on time still, in seconds.
    """

    name: str
    partition: str
    opens: Weekly | None
    closes: Weekly | None
    early_s: float
    late_s: float


@attrs.frozen(slots=True, kw_only=True)
class ArmingSchedule:
    """A schedule that arms or disarms: one engine schedule per partition comes of it (A1.5).

    Args:
        schedule: trigger and policies under the parent's name; its handler, args and lane are set per partition.
        partitions: names, in order.
        target: what they are to become.
        warn_s: how long before closing people are warned, in seconds, longest first.
        depends: on which conditions it is carried out; None for whatever they say.
    """

    schedule: Schedule
    partitions: tuple[str, ...]
    target: Target
    warn_s: tuple[float, ...] = ()
    depends: Depends | None = None


class Effect(StrEnum):
    """What an exception does to the occurrences it covers (A4.3)."""

    SKIP = "skip"  # they are left out
    REPLACE = "replace"  # they come at another time, or with another target
    HOLIDAY = "holiday"  # they are those of a holiday
    WORKDAY = "workday"  # they are those of a workday
    VACATION = "vacation"  # they are left out, and everything is armed when it begins


@attrs.frozen(slots=True, kw_only=True)
class ExceptionRule:
    """What somebody wants otherwise for some days. `check_rule` says whether it means anything.

    Args:
        on: what is concerned: `site/NAME`, `tag/NAME` or `schedule/NAME`.
        begins: local date, such as `2026-12-24`, or date and time, such as `2026-12-24T18:00`, of the partition's site.
        ends: likewise; a date is included as a whole.
        effect: what becomes of the occurrences.
        at: the time of day they come at instead; None to leave it.
        target: what they make of their partitions instead, or what a vacation does; None to leave it.
        author: who wants it.
        note: why; may be empty.
    """

    on: str
    begins: str
    ends: str
    effect: Effect
    at: str | None = None
    target: Target | None = None
    author: str
    note: str = ""


@attrs.frozen(slots=True, kw_only=True)
class KeptException:
    """An exception as it is kept.

    Args:
        number: what people know it by; never used again.
        rule: what it says.
        said_at: when it was said.
        since_at: from when on it counts: what has come by then, it does not change. None until schedules are so.
        ended_at: when it was taken back: what it had changed by then stays; None while it holds.
        ending: whether it is to be taken back as soon as schedules are so.
        declared: whether it is in the configuration file, and goes when it is not there any more.
    """

    number: int
    rule: ExceptionRule
    said_at: int
    since_at: int | None = None
    ended_at: int | None = None
    ending: bool = False
    declared: bool = False

    @property
    def holds(self) -> bool:
        """Whether nobody has taken it back."""
        return self.ended_at is None and not self.ending


@attrs.frozen(slots=True, kw_only=True)
class Premises:
    """All that is configured for arming: sites and partitions by name, and the schedules that arm them.

    Args:
        brokers: those that are configured, by name, whether or not a panel is there.
        instances: of Home Assistant, by name.
        late_disarm_s: how late a disarm may be carried out, in seconds (A2.3).
        on_time_s: how late an occurrence still counts as on time where its schedule does not say, in seconds.
        workers: of arming; None for one per partition.
        hours: when partitions are expected to open and close.
        watch_s: time between two looks at partitions that nobody commands, in seconds; 0 for none.
        hold_reminder_s: time between two reminders of a hold that lasts, in seconds; 0 for none.
        declared_exceptions: those that the configuration file wants.
        exceptions: those that hold, as they are kept; what schedules yield is changed by these.
        conditions: those that are configured, by name, whether or not a schedule depends on them.
    """

    sites: dict[str, Site] = attrs.Factory(dict)
    partitions: dict[str, Partition] = attrs.Factory(dict)
    instances: dict[str, HomeAssistantInstance] = attrs.Factory(dict)
    schedules: tuple[ArmingSchedule, ...] = ()
    brokers: dict[str, MqttBroker] = attrs.Factory(dict)
    late_disarm_s: float = 900.0
    on_time_s: float = 300.0
    workers: int | None = None
    hours: tuple[Hours, ...] = ()
    watch_s: float = 60.0
    hold_reminder_s: float = 86400.0
    declared_exceptions: tuple[ExceptionRule, ...] = ()
    exceptions: tuple[KeptException, ...] = ()
    conditions: dict[str, Condition] = attrs.Factory(dict)
